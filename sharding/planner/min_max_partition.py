"""Min-max partition of a sequence of pieces into stages, within a memory capacity."""

from typing import NamedTuple

import numpy as np

from specs.arrays import Ints

# Most look-ups of the search for the cheapest cuts; more would take noticeable time.
_MOST_LOOK_UPS = 300_000


def balanced_cuts(
    cost: Ints, memory: Ints, penalty: Ints, *, stages: int, capacity: int
) -> list[int] | None:
    """Return the planned cuts that minimise the cost of the costliest stage, exactly.

    Among all partitions with the least maximum, the result has the smallest sum of
    penalties. If nearly every partition has the least maximum and the search would be
    long, the result follows an even share of the cost instead.

    Parameters
    ----------
    cost, memory
        Cost and bytes of each piece in order, shape ``(pieces,)``, not negative.
    penalty
        Price of a cut before each piece, shape ``(pieces,)``.
    stages
        Stages to form; each gets at least one piece.
    capacity
        Bytes that a stage may hold.

    Returns
    -------
    list of int or None
        First piece of each stage, or None if no partition stays within `capacity`.

    Examples
    --------
    >>> row = np.array([3, 1, 1, 3])
    >>> balanced_cuts(row, row, 0 * row, stages=2, capacity=10)
    [0, 2]
    """
    cost_sums = np.concatenate([[0], np.cumsum(cost)])
    memory_sums = np.concatenate([[0], np.cumsum(memory)])
    low, high = int(cost.max(initial=0)), int(cost_sums[-1])
    row = _Row(cost_sums, memory_sums, high, capacity)
    if stages > len(cost) or not row.fits(stages):
        return None
    while low < high:
        middle = (low + high) // 2
        if row._replace(bound=middle).fits(stages):
            high = middle
        else:
            low = middle + 1
    return _cuts_within(row._replace(bound=low), penalty, stages)


class _Row(NamedTuple):
    """Pieces in order as prefix sums, with the bounds on the cost and bytes of a stage.

    Attributes
    ----------
    cost_sums, memory_sums
        Prefix sums, shape ``(pieces + 1,)``.
    bound, capacity
        Largest cost and most bytes of a stage.
    """

    cost_sums: Ints
    memory_sums: Ints
    bound: int
    capacity: int

    @property
    def pieces(self) -> int:
        """Return the number of pieces."""
        return len(self.cost_sums) - 1

    def mirrored(self) -> "_Row":
        """Return the pieces in reverse order."""
        return self._replace(
            cost_sums=self.cost_sums[-1] - self.cost_sums[::-1],
            memory_sums=self.memory_sums[-1] - self.memory_sums[::-1],
        )

    def reach_from(self, start: int) -> int:
        """Return the last end, exclusive, of a stage that begins at `start`."""
        cost = self.cost_sums[start] + self.bound
        memory = self.memory_sums[start] + self.capacity
        by_cost = np.searchsorted(self.cost_sums, cost, "right")
        by_memory = np.searchsorted(self.memory_sums, memory, "right")
        return int(min(by_cost, by_memory)) - 1

    def earliest_starts(self) -> Ints:
        """Return the first piece of the longest stage that ends at each cut."""
        return np.maximum(
            np.searchsorted(self.cost_sums, self.cost_sums - self.bound, "left"),
            np.searchsorted(self.memory_sums, self.memory_sums - self.capacity, "left"),
        )

    def farthest(self, stages: int) -> list[int]:
        """Return the most pieces that the first 0, 1, ... `stages` stages can cover."""
        covered = [0]
        for _ in range(stages):
            covered.append(max(covered[-1], self.reach_from(covered[-1])))
        return covered

    def fits(self, stages: int) -> bool:
        """Return whether `stages` stages can cover all pieces."""
        covered = 0
        for _ in range(stages):
            end = self.reach_from(covered)
            if end in (covered, self.pieces):
                return end == self.pieces
            covered = end
        return False


def _cuts_within(row: _Row, penalty: Ints, stages: int) -> list[int]:
    """Return cuts within the row's bounds, the cheapest unless the search is long.

    The search evaluates only prefixes that can be completed: what ``s`` stages must
    cover and what they can cover differ by the slack of the bound, not by all pieces.
    """
    pieces = row.pieces
    last = row.farthest(stages)
    # The first stages must cover what the last ones cannot.
    from_right = row.mirrored().farthest(stages)
    lows = [max(pieces - from_right[stages - s], s) for s in range(stages + 1)]
    highs = [min(last[s], pieces - (stages - s)) for s in range(stages + 1)]
    look_ups = sum(
        (high - low + 1) * (pieces / stages + high - low)
        for low, high in zip(lows, highs, strict=True)
    )
    if look_ups > _MOST_LOOK_UPS:
        return _even_cuts(row, lows, highs)
    return _cheapest_cuts(row, penalty, lows, highs)


def _cheapest_cuts(
    row: _Row, penalty: Ints, lows: list[int], highs: list[int]
) -> list[int]:
    """Return the cuts of least total penalty, by dynamic programming over stages."""
    stages = len(lows) - 1
    starts = row.earliest_starts()
    total = {0: 0}
    choices: list[dict[int, int]] = []
    for stage in range(1, stages + 1):
        here: dict[int, int] = {}
        choice: dict[int, int] = {}
        for end in range(lows[stage], highs[stage] + 1):
            prices = [
                (total[start] + (int(penalty[start]) if start else 0), start)
                for start in range(max(int(starts[end]), lows[stage - 1]), end)
                if start in total
            ]
            if prices:
                here[end], choice[end] = min(prices)
        total = here
        choices.append(choice)
    cuts = []
    end = row.pieces
    for choice in reversed(choices):
        end = choice[end]
        cuts.append(end)
    return cuts[::-1]


def _even_cuts(row: _Row, lows: list[int], highs: list[int]) -> list[int]:
    """Return cuts within the bounds that follow an even share of the cost.

    If one large piece sets the bound, nearly every partition attains it and the search
    for the cheapest would evaluate all of them.
    """
    stages = len(lows) - 1
    cuts = [0]
    for stage in range(1, stages):
        start = cuts[-1]
        share = int(row.cost_sums[-1]) * stage // stages
        ideal = int(np.searchsorted(row.cost_sums, share, "left"))
        wanted = max(ideal, lows[stage], start + 1)
        cuts.append(min(wanted, highs[stage], row.reach_from(start)))
    return cuts
