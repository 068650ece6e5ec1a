"""Dominance: merits of strategies, and the points that no other dominates."""

from typing import NamedTuple

from sharding.parallelism.strategy import Strategy


class Merits(NamedTuple):
    """Merits of a strategy; less is better in each.

    Attributes
    ----------
    latency_cycles
        From a token to the next of the same sequence.
    share_cycles
        Machine cycles for each token: one over the throughput.
    chips
        Chips of the strategy.
    """

    latency_cycles: float
    share_cycles: float
    chips: int

    def dominates(self, other: "Merits") -> bool:
        """Return whether this is at least as good in all merits: weak dominance."""
        return all(a <= b for a, b in zip(self, other, strict=True))


class ParetoPoint(NamedTuple):
    """Point of the front: a strategy with its sequences in flight, and its merits."""

    merits: Merits
    strategy: Strategy
    sequences: int


def non_dominated(points: list[ParetoPoint]) -> list[ParetoPoint]:
    """Return the points of a search that no other dominates, the fastest first.

    Of points with equal merits it is the first in order.
    """
    front: list[ParetoPoint] = []
    for point in sorted(points):
        if not any(other.merits.dominates(point.merits) for other in front):
            front.append(point)
    return front
