"""Statistics of a run, accumulated by iteration, so that times need not be kept."""

import hashlib
from typing import final

import numpy as np

from fabric.results.deskew_log import DeskewLog
from fabric.results.iteration_log import NEVER, Flight
from fabric.results.result import (
    ChipTable,
    Failover,
    IterationRow,
    Record,
    RunResult,
)
from fabric.runtime.segment import Segment
from fabric.statistics.link_totals import LinkTotals
from fabric.statistics.missing_tokens import missing_tokens
from fabric.statistics.timing_check import TimingCheck, TimingChecker
from fabric.statistics.violations import Violations
from specs.arrays import Ints
from topologies.topology import Topology


@final
class RunStatistics:
    """Statistics of the finished iterations of a run, for its result.

    Parameters
    ----------
    topology
        Topology of the machine.
    tokens
        Tokens wanted of each sequence.
    keep
        Iterations of which every time is recorded.

    Attributes
    ----------
    iterations
        A row for each iteration so far.
    checker
        Timing checks of the open segment.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        tokens: int,
        keep: frozenset[int],
    ) -> None:
        self._topology = topology
        self._tokens = tokens
        self._keep = keep
        self.iterations: list[IterationRow] = []
        self._records: list[Record] = []
        self._violations = Violations()
        self._failovers: list[Failover] = []
        self._segments: list[Segment] = []
        self._pending: dict[tuple[int, int], bytes] = {}
        self._state = hashlib.sha256()
        self._links = LinkTotals(len(topology.source))
        self._deskews = np.zeros(topology.chips, dtype=np.int64)
        self._most_removed = np.zeros(topology.chips, dtype=np.int64)
        self._events = 0

    def open(self, segment: Segment) -> None:
        """Begin a segment."""
        self._segment = segment
        self._segments.append(segment)
        self.checker = TimingChecker(segment)
        self._links.open(segment)
        self._next = _following((0, -1), segment.delivery.iterations)
        self._failovers.extend(segment.failovers)

    def add_flight(self, flight: Flight) -> None:
        """Add a finished iteration from its record."""
        step_ps = np.array(flight.step_ps, dtype=np.int64)
        arrival_ps = np.array(flight.arrival_ps, dtype=np.int64)
        # The FIFOs must have seen the trains that are late by the times.
        take_ps = step_ps[self._segment.layout.take_step]
        late = (take_ps < arrival_ps) & (take_ps != NEVER)
        assert set(flight.underflows) == set(np.flatnonzero(late).tolist())
        self.add(
            flight.sequence,
            flight.iteration,
            self.checker.check(step_ps, arrival_ps, flight.sequence, flight.iteration),
            flight.overflows,
        )
        self.record(flight.sequence, flight.iteration, step_ps, arrival_ps)

    def add(
        self,
        sequence: int,
        iteration: int,
        check: TimingCheck,
        overflows: dict[int, int],
    ) -> None:
        """Add a finished iteration.

        Parameters
        ----------
        sequence, iteration
            Number of the sequence, and of the iteration within the segment.
        check
            Timing check of the iteration.
        overflows
            Trains that found the FIFO full, and vectors that it had to hold.
        """
        segment = self._segment
        attempt = segment.delivery.attempts[sequence][iteration]
        number = segment.first_iteration + iteration
        corrected = segment.errors.corrected(
            segment.dispatcher.event(sequence, iteration),
            segment.dispatcher.base_cycle(sequence, iteration),
        )
        lost = np.zeros(0, dtype=np.int64)
        if attempt.lost:
            lost = segment.dispatcher.lost(sequence, iteration)
            corrected = corrected.without(lost)
        self._links.add(
            least_ps=check.least_ps,
            corrected=corrected,
            damaged=attempt.damaged,
            lost=lost,
        )
        if len(check.late) or overflows:
            self._violations.add(
                segment,
                sequence,
                number,
                slack_ps=check.slack_ps,
                late=check.late,
                overflows=overflows,
            )
        self.iterations.append(
            IterationRow(
                sequence=sequence,
                iteration=number,
                token=attempt.token,
                attempt=attempt.attempt,
                start_ps=check.begin_ps,
                end_ps=check.end_ps,
                delivered=attempt.clean and not len(check.late) and not overflows,
            )
        )
        numbers = (check.begin_ps, check.end_ps, attempt.lost, *attempt.damaged)
        self._hash(
            (iteration, sequence),
            check.digest
            + np.array(numbers, dtype=np.int64).tobytes()
            + corrected.trains.tobytes()
            + corrected.codewords.tobytes(),
        )

    def keeps(self, iteration: int) -> bool:
        """Return whether every time of an iteration of the segment is recorded."""
        return self._segment.first_iteration + iteration in self._keep

    def record(
        self, sequence: int, iteration: int, step_ps: Ints, arrival_ps: Ints
    ) -> None:
        """Record the times of an iteration if they are wanted."""
        if self.keeps(iteration):
            number = self._segment.first_iteration + iteration
            issued = step_ps[self._segment.layout.step_of_instruction]
            self._records.append(
                Record(
                    sequence=sequence,
                    iteration=number,
                    instruction_ps=issued,
                    arrival_ps=arrival_ps,
                )
            )

    def _hash(self, key: tuple[int, int], content: bytes) -> None:
        """Add to the trajectory hash, in order of iteration and sequence."""
        self._pending[key] = content
        counts = self._segment.delivery.iterations
        while self._next in self._pending:
            self._state.update(self._pending.pop(self._next))
            self._next = _following(self._next, counts)

    def close(self, deskews: DeskewLog) -> None:
        """End a segment.

        Parameters
        ----------
        deskews
            All RUNTIME_DESKEWs of the segment.
        """
        segment = self._segment
        assert not self._pending
        self._state.update(deskews.digest())
        self._deskews += deskews.count
        np.maximum(self._most_removed, deskews.most_removed, out=self._most_removed)
        iterations = sum(segment.delivery.iterations)
        self._links.close(iterations)
        per_iteration = len(segment.layout) + len(segment.program.trains)
        self._events += per_iteration * iterations + deskews.total
        self._events += segment.start.events

    def result(self) -> RunResult:
        """Return the result of the run once all segments have ended."""
        first = self._segments[0]
        rows = sorted(self.iterations, key=lambda row: (row.iteration, row.sequence))
        waiting = self._segments[-1].delivery.waiting
        missing = missing_tokens(self.iterations, waiting, self._tokens)
        return RunResult(
            iterations=tuple(rows),
            links=self._links.table(),
            chips=ChipTable(
                offset_ppm=np.array(first.crystals.clocks.offset_ppm),
                deskews=self._deskews,
                most_removed_cycles=self._most_removed,
            ),
            violations=tuple(self._violations.first()),
            underflows=self._violations.underflows,
            overflows=self._violations.overflows,
            replays=sum(row.attempt > 0 for row in rows),
            failovers=tuple(self._failovers),
            missing=missing,
            alignment_epochs=first.start.epochs,
            alignment_ps=first.start.duration_ps,
            start_count=first.start.count,
            records=tuple(
                sorted(self._records, key=lambda each: (each.iteration, each.sequence))
            ),
            events=self._events,
            trajectory_hash=self._state.hexdigest(),
        )


def _following(key: tuple[int, int], counts: tuple[int, ...]) -> tuple[int, int]:
    """Return the iteration and sequence after `key` in a run's statistics."""
    iteration, sequence = key
    while True:
        sequence += 1
        if sequence == len(counts):
            iteration, sequence = iteration + 1, 0
        if iteration < counts[sequence] or iteration >= max(counts):
            return iteration, sequence
