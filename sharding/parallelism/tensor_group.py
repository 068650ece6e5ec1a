"""A tensor group: the split of every layer of a stage over the chips of the group."""

from enum import StrEnum
from typing import NamedTuple

import numpy as np

from sharding.parallelism.ranges import HeadSplit, bounds, head_split
from specs.arrays import Ints
from topologies.cables import CHIPS_PER_NODE


class FeedForwardLayout(StrEnum):
    """Layout of the feed-forward matrices on a tensor group."""

    # Each chip holds a part of the intermediate dimension and all of the hidden one.
    ONE_D = "1d"
    # Chips form a grid: each holds a part of both dimensions.
    TWO_D = "2d"


class Routing(StrEnum):
    """Expert routing that a static schedule assumes of the choice of tokens.

    WORST
        Any choice: the address of the weights that are multiplied is that of a chosen
        expert.
    BALANCED
        One that gives each group of experts its even share.
    ALL
        None: every expert is computed for every token, and what a token did not choose
        is multiplied by 0. No address follows from a choice.
    """

    WORST = "worst"
    BALANCED = "balanced"
    ALL = "all"


class Range(NamedTuple):
    """A range of a dimension on each chip, end exclusive; shape ``(width,)``."""

    start: Ints
    end: Ints

    @property
    def sizes(self) -> Ints:
        """Return the elements of each chip's range."""
        return self.end - self.start


def grid_inputs(width: int) -> int:
    """Return the parts into which 2D parallelism on `width` chips cuts the hidden size.

    Within a node, the sides of the grid are as equal as possible. In wider groups a
    grid column lies within a node, because its members exchange the partial sums of
    the wider dimension. The result is 1 if the chips form no grid.

    >>> [grid_inputs(width) for width in (7, 8, 16, 72)]
    [1, 2, 8, 8]
    """
    most = CHIPS_PER_NODE if width > CHIPS_PER_NODE else int(width**0.5)
    return max(side for side in range(1, most + 1) if width % side == 0)


class TensorGroup(NamedTuple):
    """The chips of a tensor group and how they share each layer.

    Attributes
    ----------
    width
        Members of the group.
    expert
        Expert groups within it; each holds whole experts.
    attention
        Members that share the attention of a layer. Fewer than `width` form
        alternating groups.
    inputs
        Parts of the hidden dimension in the feed-forward, 1 unless the layout is 2D.
    """

    width: int
    expert: int
    attention: int
    inputs: int

    @property
    def members(self) -> Ints:
        """Return the member numbers, shape ``(width,)``."""
        return np.arange(self.width, dtype=np.int64)

    @property
    def alternating_groups(self) -> int:
        """Return the number of alternating groups, 1 if all members share attention.

        The same members compute the attention again after so many layers.
        """
        return self.width // self.attention

    @property
    def row(self) -> Ints:
        """Return the hidden-dimension part of each member in a feed-forward."""
        return self.members % self.inputs

    @property
    def column(self) -> Ints:
        """Return the intermediate-dimension part of each member in a feed-forward."""
        return self.members // self.inputs % self.columns

    @property
    def columns(self) -> int:
        """Return the parts into which a feed-forward's intermediate size is cut."""
        return self.width // (self.inputs * self.expert)

    @property
    def experts_of(self) -> Ints:
        """Return the expert group of each member, shape ``(width,)``."""
        return self.members // (self.width // self.expert)

    def shards(self, hidden: int) -> Range:
        """Return the residual-stream shard of each member.

        In a 2D layout the shards of members that all-gather one part of the hidden
        dimension are consecutive.
        """
        edges = bounds(hidden, self.width)
        if self.inputs == 1:
            return Range(edges[:-1], edges[1:])
        place = self.row * (self.width // self.inputs) + self.members // self.inputs
        return Range(edges[place], edges[place + 1])

    def input_range(self, hidden: int) -> Range:
        """Return the hidden-dimension range that each member multiplies."""
        edges = bounds(hidden, self.width)[:: self.width // self.inputs]
        return Range(edges[self.row], edges[self.row + 1])

    def column_range(self, low: int, high: int) -> Range:
        """Return each member's range of intermediate columns ``low .. high - 1``."""
        edges = low + bounds(high - low, self.columns)
        if self.columns == self.width:
            return Range(edges[:-1], edges[1:])
        return Range(edges[self.column], edges[self.column + 1])

    def activated_range(self, low: int, high: int) -> Range:
        """Return the intermediate range that each member activates.

        In a 2D layout a reduce-scatter over the grid column leaves each member a part.
        """
        whole = self.column_range(low, high)
        if self.inputs == 1:
            return whole
        size = whole.sizes
        return Range(
            whole.start + size * self.row // self.inputs,
            whole.start + size * (self.row + 1) // self.inputs,
        )

    def heads(self, kv_heads: int, layer: int) -> HeadSplit:
        """Return the key/value heads of each member in a layer.

        Members outside the layer's alternating group have no heads.
        """
        split = head_split(kv_heads, self.attention)
        if self.alternating_groups == 1:
            return split
        first = layer % self.alternating_groups * self.attention
        filled = []
        for column, idle in zip(split, (0, 0, 0, 1), strict=True):
            whole = np.full(self.width, idle, dtype=np.int64)
            whole[first : first + self.attention] = column
            filled.append(whole)
        return HeadSplit(*filled)


def group_of(
    tensor: int, expert: int, attention: int, layout: FeedForwardLayout
) -> TensorGroup:
    """Return the tensor-parallel group that values of a strategy's keys describe."""
    return TensorGroup(
        width=tensor,
        expert=expert,
        attention=attention or tensor,
        inputs=grid_inputs(tensor) if layout is FeedForwardLayout.TWO_D else 1,
    )
