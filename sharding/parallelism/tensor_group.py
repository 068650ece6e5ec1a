"""A tensor group: how the chips that share a layer share it out."""

from enum import StrEnum
from typing import NamedTuple

import numpy as np

from sharding.parallelism.ranges import HeadSplit, bounds, head_split
from specs.arrays import Ints
from topologies.cables import CHIPS_PER_NODE


class FeedForwardLayout(StrEnum):
    """How the matrices of a feed-forward lie on a group."""

    # Each chip has some of the columns in between, for the whole hidden dimension.
    ONE_D = "1d"
    # Chips form a grid: a part of the columns, for a part of the hidden dimension.
    TWO_D = "2d"


class Routing(StrEnum):
    """What is known of a router's choice when the schedule is made."""

    WORST = "worst"
    BALANCED = "balanced"


class Range(NamedTuple):
    """First element and the one after the last on each chip, shape ``(width,)``."""

    start: Ints
    end: Ints

    @property
    def sizes(self) -> Ints:
        """Return the elements on each chip."""
        return self.end - self.start


def grid_inputs(width: int) -> int:
    """Return in how many parts a grid of `width` chips cuts the hidden dimension.

    Up to a node's chips, the sides are as equal as can be; beyond, a row lies within a
    node, since that is where partial sums of the wider dimension are exchanged. It is 1
    if the chips form no grid.

    >>> [grid_inputs(width) for width in (7, 8, 16, 72)]
    [1, 2, 8, 8]
    """
    most = CHIPS_PER_NODE if width > CHIPS_PER_NODE else int(width**0.5)
    return max(side for side in range(1, most + 1) if width % side == 0)


class TensorGroup(NamedTuple):
    """How the members of a tensor group share a layer.

    Attributes
    ----------
    width
        Members.
    expert
        Groups of experts within it; each has whole experts.
    attention
        Members that share the attention of a layer; layers take turns.
    inputs
        Parts of the hidden dimension that the feed-forward is cut into, 1 unless the
        members form a grid.
    """

    width: int
    expert: int
    attention: int
    inputs: int

    @property
    def members(self) -> Ints:
        """Return the numbers of the members."""
        return np.arange(self.width, dtype=np.int64)

    @property
    def turns(self) -> int:
        """Return after how many layers the same members have the attention again."""
        return self.width // self.attention

    @property
    def row(self) -> Ints:
        """Return each member's part of the hidden dimension in a feed-forward."""
        return self.members % self.inputs

    @property
    def column(self) -> Ints:
        """Return which columns of a feed-forward each member has a part of."""
        return self.members // self.inputs % self.columns

    @property
    def columns(self) -> int:
        """Return in how many parts the columns of a feed-forward are cut."""
        return self.width // (self.inputs * self.expert)

    @property
    def experts_of(self) -> Ints:
        """Return the group of experts that each member is in."""
        return self.members // (self.width // self.expert)

    def shards(self, hidden: int) -> Range:
        """Return each member's shard of the residual stream.

        In a grid the shards of the members that gather a part of the hidden dimension
        follow one another.
        """
        edges = bounds(hidden, self.width)
        if self.inputs == 1:
            return Range(edges[:-1], edges[1:])
        place = self.row * (self.width // self.inputs) + self.members // self.inputs
        return Range(edges[place], edges[place + 1])

    def input_range(self, hidden: int) -> Range:
        """Return the part of the hidden dimension that each member multiplies with."""
        edges = bounds(hidden, self.width)[:: self.width // self.inputs]
        return Range(edges[self.row], edges[self.row + 1])

    def column_range(self, low: int, high: int) -> Range:
        """Return which of the feed-forward's columns ``low .. high - 1`` each has."""
        edges = low + bounds(high - low, self.columns)
        if self.columns == self.width:
            return Range(edges[:-1], edges[1:])
        return Range(edges[self.column], edges[self.column + 1])

    def activated_range(self, low: int, high: int) -> Range:
        """Return which columns each member activates, once partial sums are added."""
        whole = self.column_range(low, high)
        if self.inputs == 1:
            return whole
        size = whole.sizes
        return Range(
            whole.start + size * self.row // self.inputs,
            whole.start + size * (self.row + 1) // self.inputs,
        )

    def heads(self, kv_heads: int, layer: int) -> HeadSplit:
        """Return which key/value heads each member serves in a layer.

        Members that have no part in it have no heads.
        """
        split = head_split(kv_heads, self.attention)
        if self.turns == 1:
            return split
        first = layer % self.turns * self.attention
        filled = []
        for column, idle in zip(split, (0, 0, 0, 1), strict=True):
            whole = np.full(self.width, idle, dtype=np.int64)
            whole[first : first + self.attention] = column
            filled.append(whole)
        return HeadSplit(*filled)


def group_of(
    tensor: int, expert: int, attention: int, layout: FeedForwardLayout
) -> TensorGroup:
    """Return the group that the words of a strategy describe."""
    return TensorGroup(
        width=tensor,
        expert=expert,
        attention=attention or tensor,
        inputs=grid_inputs(tensor) if layout is FeedForwardLayout.TWO_D else 1,
    )
