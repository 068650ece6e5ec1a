"""Adding up a run, iteration by iteration, so that its times need not be kept."""

import hashlib
from typing import final

import numpy as np

from fabric.results.deskew_log import DeskewLog
from fabric.results.iteration_log import NEVER, Flight
from fabric.results.result import (
    ChipTable,
    Failover,
    IterationRow,
    LinkTable,
    Missing,
    Record,
    RunResult,
)
from fabric.results.slack import UNLIMITED_PS
from fabric.runtime.segment import Segment
from fabric.statistics.timing_check import TimingCheck, TimingChecker
from fabric.statistics.violations import Violations
from specs.arrays import Ints
from topologies.topology import Topology


@final
class RunStatistics:
    """Takes each finished iteration and keeps what the result needs of it.

    Parameters
    ----------
    topology
        The wiring.
    tokens
        Tokens wanted of each sequence.
    keep
        Iterations of which every time is kept.

    Attributes
    ----------
    iterations
        A row for each iteration so far.
    judge
        Says what the times of an iteration of the stint say.
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
        self._runs: list[Segment] = []
        self._pending: dict[tuple[int, int], bytes] = {}
        self._state = hashlib.sha256()
        links, chips = len(topology.source), topology.chips
        self._vectors = np.zeros(links, dtype=np.int64)
        self._least_slack = np.full(links, UNLIMITED_PS, dtype=np.int64)
        self._corrected = np.zeros(links, dtype=np.int64)
        self._uncorrectable = np.zeros(links, dtype=np.int64)
        self._lost = np.zeros(links, dtype=np.int64)
        self._deskews = np.zeros(chips, dtype=np.int64)
        self._most_removed = np.zeros(chips, dtype=np.int64)
        self._events = 0

    def open(self, run: Segment) -> None:
        """Begin a stint."""
        self._run = run
        self._runs.append(run)
        self.judge = TimingChecker(run)
        self._used = np.flatnonzero(
            np.bincount(run.program.trains.link, minlength=len(self._vectors))
        )
        self._run_least = np.full(len(self._used), UNLIMITED_PS, dtype=np.int64)
        self._next = _following((0, -1), run.delivery.iterations)
        if run.failover is not None:
            self._failovers.append(run.failover)

    def add_flight(self, flight: Flight) -> None:
        """Add a finished iteration."""
        step_ps = np.array(flight.step_ps, dtype=np.int64)
        arrival_ps = np.array(flight.arrival_ps, dtype=np.int64)
        # What the FIFOs noticed is what the times say.
        take_ps = step_ps[self._run.layout.take_step]
        late = (take_ps < arrival_ps) & (take_ps != NEVER)
        assert set(flight.underflows) == set(np.flatnonzero(late).tolist())
        self.add(
            flight.sequence,
            flight.iteration,
            self.judge.verdict(step_ps, arrival_ps, flight.sequence, flight.iteration),
            flight.overflows,
        )
        self.record(flight.sequence, flight.iteration, step_ps, arrival_ps)

    def add(
        self,
        sequence: int,
        iteration: int,
        verdict: TimingCheck,
        overflows: dict[int, int],
    ) -> None:
        """Enter an iteration.

        Parameters
        ----------
        sequence, iteration
            Which one, counted in its stint.
        verdict
            What its times say.
        overflows
            Trains that found the FIFO full, and vectors that it had to hold.
        """
        run = self._run
        attempt = run.delivery.attempts[sequence][iteration]
        number = run.first_iteration + iteration
        np.minimum(self._run_least, verdict.least_ps, out=self._run_least)
        link = run.program.trains.link
        corrected = run.errors.corrected(
            run.dispatcher.event(sequence, iteration),
            run.dispatcher.base_cycle(sequence, iteration),
        )
        if attempt.lost:
            corrected = corrected.without(run.dispatcher.lost(sequence, iteration))
        np.add.at(self._corrected, link[corrected.trains], corrected.codewords)
        if attempt.damaged:
            np.add.at(self._uncorrectable, link[list(attempt.damaged)], 1)
        if attempt.lost:
            lost = run.dispatcher.lost(sequence, iteration)
            np.add.at(self._lost, link[lost], 1)
            np.subtract.at(self._vectors, link[lost], run.program.trains.vectors[lost])
        if len(verdict.late) or overflows:
            self._violations.add(
                run,
                sequence,
                number,
                slack_ps=verdict.slack_ps,
                late=verdict.late,
                overflows=overflows,
            )
        self.iterations.append(
            IterationRow(
                sequence=sequence,
                iteration=number,
                token=attempt.token,
                attempt=attempt.attempt,
                start_ps=verdict.begin_ps,
                end_ps=verdict.end_ps,
                delivered=attempt.clean and not len(verdict.late) and not overflows,
            )
        )
        numbers = (verdict.begin_ps, verdict.end_ps, attempt.lost, *attempt.damaged)
        self._hash(
            (iteration, sequence),
            verdict.digest
            + np.array(numbers, dtype=np.int64).tobytes()
            + corrected.trains.tobytes()
            + corrected.codewords.tobytes(),
        )

    def keeps(self, iteration: int) -> bool:
        """Return whether every time of an iteration of the stint is kept."""
        return self._run.first_iteration + iteration in self._keep

    def record(
        self, sequence: int, iteration: int, step_ps: Ints, arrival_ps: Ints
    ) -> None:
        """Keep the times of an iteration if they are wanted."""
        if self.keeps(iteration):
            number = self._run.first_iteration + iteration
            issued = step_ps[self._run.layout.step_of_instruction]
            self._records.append(
                Record(
                    sequence=sequence,
                    iteration=number,
                    instruction_ps=issued,
                    arrival_ps=arrival_ps,
                )
            )

    def _hash(self, key: tuple[int, int], content: bytes) -> None:
        """Add to the trajectory's hash, in order of iteration and sequence."""
        self._pending[key] = content
        counts = self._run.delivery.iterations
        while self._next in self._pending:
            self._state.update(self._pending.pop(self._next))
            self._next = _following(self._next, counts)

    def close(self, deskews: DeskewLog) -> None:
        """End a stint.

        Parameters
        ----------
        deskews
            All RUNTIME_DESKEWs of the stint.
        """
        run = self._run
        assert not self._pending
        self._state.update(deskews.digest())
        self._deskews += deskews.count
        np.maximum(self._most_removed, deskews.most_removed, out=self._most_removed)
        iterations = sum(run.delivery.iterations)
        links = len(self._vectors)
        trains = run.program.trains
        vectors = np.bincount(trains.link, weights=trains.vectors, minlength=links)
        self._vectors += vectors.astype(np.int64) * iterations
        self._least_slack[self._used] = np.minimum(
            self._least_slack[self._used], self._run_least
        )
        per_iteration = len(run.layout) + len(run.program.trains)
        self._events += per_iteration * iterations + deskews.total
        self._events += run.start.events

    def result(self) -> RunResult:
        """Return the result once all stints have been added."""
        first = self._runs[0]
        rows = sorted(self.iterations, key=lambda row: (row.iteration, row.sequence))
        missing = self._missing()
        return RunResult(
            iterations=tuple(rows),
            links=self._link_table(),
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

    def _link_table(self) -> LinkTable:
        """Return the links' table, of those that a train used."""
        links = [run.program.trains.link for run in self._runs]
        used = np.flatnonzero(np.bincount(np.concatenate(links)))
        return LinkTable(
            link=used,
            vectors=self._vectors[used],
            least_slack_ps=self._least_slack[used],
            corrected=self._corrected[used],
            uncorrectable=self._uncorrectable[used],
            lost=self._lost[used],
        )

    def _missing(self) -> tuple[Missing, ...]:
        """Return which tokens have not been delivered, and why."""
        waiting = self._runs[-1].delivery.waiting
        delivered = np.zeros((len(waiting), self._tokens), dtype=bool)
        for row in self.iterations:
            delivered[row.sequence, row.token] |= row.delivered
        missing = []
        for sequence, state in enumerate(waiting):
            given_up = range(state.token, self._tokens)
            broken = np.flatnonzero(~delivered[sequence, : state.token])
            for run in np.split(broken, np.flatnonzero(np.diff(broken) > 1) + 1):
                if len(run):
                    reason = "vectors broke the schedule"
                    first, last = int(run[0]), int(run[-1])
                    missing.append(Missing(sequence, first, last, reason))
            if given_up:
                last = self._tokens - 1
                missing.append(Missing(sequence, state.token, last, state.given_up))
        return tuple(missing)


def _following(key: tuple[int, int], counts: tuple[int, ...]) -> tuple[int, int]:
    """Return the next iteration and sequence in order, of those that there are."""
    iteration, sequence = key
    while True:
        sequence += 1
        if sequence == len(counts):
            iteration, sequence = iteration + 1, 0
        if iteration < counts[sequence] or iteration >= max(counts):
            return iteration, sequence
