"""Vectors that broke the schedule: all are counted, the first of each kind kept."""

from typing import final

from fabric.results.result import Violation
from fabric.runtime.segment import Segment
from specs.arrays import Ints

# Of each kind; a run that breaks its schedule breaks it everywhere.
_MOST = 100


@final
class Violations:
    """Collects underflows and overflows of a run.

    Attributes
    ----------
    underflows, overflows
        Trains that were late, and that found the FIFO full.
    """

    def __init__(self) -> None:
        self.underflows = 0
        self.overflows = 0
        self._kept: list[Violation] = []

    def add(
        self,
        run: Segment,
        sequence: int,
        iteration: int,
        *,
        slack_ps: Ints,
        late: Ints,
        overflows: dict[int, int],
    ) -> None:
        """Add the violations of an iteration.

        Parameters
        ----------
        run
            The stint.
        sequence, iteration
            Where in the run; the iteration counts over all stints.
        slack_ps
            Least slack of each train.
        late
            Trains that were late.
        overflows
            Trains that found the FIFO full, and vectors that it had to hold.
        """
        self.underflows += len(late)
        self.overflows += len(overflows)
        found = [("underflow", int(train), 0) for train in late[:_MOST]]
        found += [("overflow", *item) for item in sorted(overflows.items())[:_MOST]]
        topology, trains = run.topology, run.program.trains
        for kind, train, waiting in found:
            link = int(trains.link[train])
            self._kept.append(
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
        if len(self._kept) > _MOST:
            self._kept = self.first()

    def first(self) -> list[Violation]:
        """Return the first of each kind, whichever iteration was added first."""
        ordered = sorted(
            self._kept, key=lambda v: (v.kind, v.iteration, v.sequence, v.cycle, v.link)
        )
        of_kind: dict[str, list[Violation]] = {}
        for violation in ordered:
            of_kind.setdefault(violation.kind, []).append(violation)
        return [v for kind in of_kind.values() for v in kind[:_MOST]]
