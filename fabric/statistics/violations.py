"""Violations of the schedule: all are counted, the first of each kind are kept."""

from typing import final

from fabric.results.violation import Violation
from fabric.runtime.segment import Segment
from specs.arrays import Ints

# Violations kept of each kind; a run that breaks its schedule breaks it everywhere.
_MOST = 100


@final
class Violations:
    """Underflows and overflows of a run.

    Attributes
    ----------
    underflows, overflows
        Number of trains that were late, and that found the FIFO full.
    """

    def __init__(self) -> None:
        self.underflows = 0
        self.overflows = 0
        self._kept: list[Violation] = []

    def add(
        self,
        segment: Segment,
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
        segment
            Segment of the iteration.
        sequence, iteration
            Number of the sequence, and of the iteration over all segments.
        slack_ps
            Least slack of each train.
        late
            Trains that were late.
        overflows
            Trains that found the FIFO full, and vectors that it had to hold.
        """
        self.underflows += len(late)
        self.overflows += len(overflows)
        kept = [("underflow", int(train), 0) for train in late[:_MOST]]
        kept += [("overflow", *item) for item in sorted(overflows.items())[:_MOST]]
        topology, trains = segment.topology, segment.program.trains
        for kind, train, waiting in kept:
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
        """Return the first violations of each kind, in any order of iterations."""
        ordered = sorted(
            self._kept, key=lambda v: (v.kind, v.iteration, v.sequence, v.cycle, v.link)
        )
        of_kind: dict[str, list[Violation]] = {}
        for violation in ordered:
            of_kind.setdefault(violation.kind, []).append(violation)
        return [v for kind in of_kind.values() for v in kind[:_MOST]]
