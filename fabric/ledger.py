"""Adding up a run, iteration by iteration, so that its times need not be kept."""

import hashlib
from typing import final

import numpy as np
from numpy.typing import NDArray

from fabric.flight import Flight
from fabric.result import (
    ChipTable,
    IterationRow,
    LinkTable,
    Record,
    RunResult,
    Violation,
)
from fabric.run import Run
from fabric.slack import least_slack_ps

Ints = NDArray[np.int64]

# Of each kind; a run that breaks its schedule breaks it everywhere.
_MOST_VIOLATIONS = 100
_AS_PER_S = 10**18


@final
class Ledger:
    """Takes each finished iteration and keeps what the result needs of it.

    Parameters
    ----------
    run
        What is being run.
    keep
        Iterations of which every time is kept.
    """

    def __init__(self, run: Run, *, keep: frozenset[int]) -> None:
        program, topology = run.program, run.topology
        trains = program.trains
        self._run = run
        self._keep = keep
        self.iterations: list[IterationRow] = []
        self.records: list[Record] = []
        self.violations: list[Violation] = []
        self.underflows = 0
        self.overflows = 0
        self._digests: dict[tuple[int, int], bytes] = {}
        period_as = np.array(
            [_AS_PER_S // clock.frequency_hz for clock in run.crystals.clocks]
        )
        self._drift_as = (
            period_as[topology.target[trains.link]]
            - period_as[topology.source[trains.link]]
        )
        link, hz = run.machine.link, run.machine.chip.clock_hz
        sizes, kind = np.unique(trains.vectors, return_inverse=True)
        tails = [link.vector_offset_cycles(int(n) - 1, hz) for n in sizes]
        self._tail_cycles = np.array(tails, dtype=np.int64)[kind]
        self._used, self._row = np.unique(trains.link, return_inverse=True)
        self._vectors = np.bincount(self._row, weights=trains.vectors).astype(np.int64)
        none = np.zeros(len(self._used), dtype=np.int64)
        self._least_slack = none + 2**62
        self._corrected, self._uncorrectable = none.copy(), none.copy()

    def close(self, flight: Flight) -> None:
        """Add a finished iteration."""
        step_ps = np.array(flight.step_ps, dtype=np.int64)
        arrival_ps = np.array(flight.arrival_ps, dtype=np.int64)
        late = set(flight.underflows)
        self.add(
            flight.sequence, flight.iteration, step_ps, arrival_ps, flight.overflows
        )
        # What the FIFOs noticed is what the times say.
        head = step_ps[self._run.layout.take_step] - arrival_ps
        assert late == set(np.flatnonzero(head < 0).tolist())

    def add(
        self,
        sequence: int,
        iteration: int,
        step_ps: Ints,
        arrival_ps: Ints,
        overflows: dict[int, int],
    ) -> None:
        """Add an iteration by its times.

        Parameters
        ----------
        sequence, iteration
            Which one.
        step_ps, arrival_ps
            Global time of each step, and of each train's arrival.
        overflows
            Trains that found the FIFO full, and vectors that it had to hold.
        """
        run = self._run
        attempt = run.delivery.attempts[sequence][iteration]
        head = step_ps[run.layout.take_step] - arrival_ps
        slack = least_slack_ps(head, self._tail_cycles, self._drift_as)
        late = np.flatnonzero(slack < 0)
        np.minimum.at(self._least_slack, self._row, slack)
        corrected = run.errors.corrected(sequence, iteration)
        repaired = np.flatnonzero(corrected)
        damaged = np.array(attempt.damaged, dtype=np.int64)
        rows, links = self._row, len(self._used)
        np.add.at(self._corrected, rows[repaired], corrected[repaired])
        self._uncorrectable += np.bincount(rows[damaged], minlength=links)
        self.underflows += len(late)
        self.overflows += len(overflows)
        found = [("underflow", int(train), 0) for train in late[:_MOST_VIOLATIONS]]
        overflowed = sorted(overflows.items())[:_MOST_VIOLATIONS]
        found += [("overflow", *item) for item in overflowed]
        self._violate(sequence, iteration, slack, found)
        self.iterations.append(
            IterationRow(
                sequence=sequence,
                iteration=iteration,
                token=attempt.token,
                attempt=attempt.attempt,
                start_ps=int(step_ps[run.layout.begin_step]),
                end_ps=int(step_ps[run.layout.end_step]),
                delivered=attempt.clean and not len(late) and not overflows,
            )
        )
        state = hashlib.sha256()
        # Slack follows from these times, and nearly all error counts are 0.
        for column in (step_ps, arrival_ps, repaired, corrected[repaired], damaged):
            state.update(column.astype(np.int64, copy=False).tobytes())
        self._digests[iteration, sequence] = state.digest()
        if iteration in self._keep:
            issued = step_ps[run.layout.step_of_instruction]
            self.records.append(
                Record(
                    sequence=sequence,
                    iteration=iteration,
                    instruction_ps=issued,
                    arrival_ps=arrival_ps,
                )
            )

    def _violate(
        self,
        sequence: int,
        iteration: int,
        slack_ps: Ints,
        found: list[tuple[str, int, int]],
    ) -> None:
        """Keep the violations of an iteration, and the first of each kind of all."""
        topology, trains = self._run.topology, self._run.program.trains
        for kind, train, waiting in found:
            link = int(trains.link[train])
            self.violations.append(
                Violation(
                    kind=kind,
                    sequence=sequence,
                    iteration=iteration,
                    link=link,
                    source=int(topology.source[link]),
                    target=int(topology.target[link]),
                    cycle=int(trains.receive_cycle[train]),
                    margin_ps=int(slack_ps[train]),
                    vectors=waiting,
                )
            )
        if len(self.violations) > _MOST_VIOLATIONS:
            self.violations = _first_violations(self.violations)

    def result(self, deskews: Ints) -> RunResult:
        """Return the result once all iterations have been added.

        Parameters
        ----------
        deskews
            Chip, start in ps and removed cycles of each, in any order, shape
            ``(deskews, 3)``.
        """
        run, rows = self._run, self.iterations
        chips = run.topology.chips
        most_removed = np.zeros(chips, dtype=np.int64)
        np.maximum.at(most_removed, deskews[:, 0], np.abs(deskews[:, 2]))
        rows.sort(key=lambda row: (row.iteration, row.sequence))
        delivered = {(row.sequence, row.token) for row in rows if row.delivered}
        wanted = {(row.sequence, row.token) for row in rows}
        per_iteration = len(run.layout) + len(run.program.trains)
        return RunResult(
            iterations=tuple(rows),
            links=self._link_table(),
            chips=ChipTable(
                offset_ppm=np.array(run.crystals.offset_ppm),
                deskews=np.bincount(deskews[:, 0], minlength=chips),
                most_removed_cycles=most_removed,
            ),
            violations=tuple(_first_violations(self.violations)),
            underflows=self.underflows,
            overflows=self.overflows,
            replays=run.delivery.replays,
            tokens_lost=len(wanted - delivered),
            alignment_epochs=run.start.epochs,
            alignment_ps=run.start.duration_ps,
            start_count=run.start.count,
            records=tuple(self.records),
            events=per_iteration * len(rows) + len(deskews) + run.alignment_events,
            trajectory_hash=self._trajectory_hash(deskews),
        )

    def _link_table(self) -> LinkTable:
        """Return the links' table so far."""
        return LinkTable(
            link=self._used.astype(np.int64),
            vectors=self._vectors * len(self.iterations),
            least_slack_ps=self._least_slack,
            corrected=self._corrected,
            uncorrectable=self._uncorrectable,
        )

    def _trajectory_hash(self, deskews: Ints) -> str:
        """Return the hash of all iterations and of the deskews."""
        state = hashlib.sha256()
        for key in sorted(self._digests):
            state.update(np.array(key, dtype=np.int64).tobytes() + self._digests[key])
        state.update(deskews[np.lexsort(deskews.T[::-1])].tobytes())
        return state.hexdigest()


def _first_violations(violations: list[Violation]) -> list[Violation]:
    """Return the first of each kind, whichever iteration was added first."""
    ordered = sorted(
        violations, key=lambda v: (v.kind, v.iteration, v.sequence, v.cycle, v.link)
    )
    of_kind: dict[str, list[Violation]] = {}
    for violation in ordered:
        of_kind.setdefault(violation.kind, []).append(violation)
    return [v for kind in of_kind.values() for v in kind[:_MOST_VIOLATIONS]]
