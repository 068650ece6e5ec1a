"""How a dimension, the heads and a tensor's rectangle are split over a tensor group."""

from typing import NamedTuple

import numpy as np

from specs.arrays import Ints


class TensorSlices(NamedTuple):
    """The rectangle of one tensor on each chip of a group; arrays are ``(width,)``."""

    tensor: str
    rows: int
    columns: int
    row_start: Ints
    row_end: Ints
    column_start: Ints
    column_end: Ints
    # A matrix that is multiplied with; else a table, or an operand of vectors.
    multiplied: bool = False

    @property
    def elements(self) -> Ints:
        """Return the elements on each chip."""
        return (self.row_end - self.row_start) * (self.column_end - self.column_start)


class HeadSplit(NamedTuple):
    """Which key/value heads each chip of a group serves.

    Up to one chip per head, a chip holds whole heads. With more chips than heads, the
    chips that share a head are a team: each holds a slice of its projections and a
    slice of the context in its KV cache.

    Attributes
    ----------
    first, heads
        First key/value head and number of heads of each chip.
    member, members
        Place in the team, and size of the team.
    """

    first: Ints
    heads: Ints
    member: Ints
    members: Ints


def bounds(elements: int, width: int) -> Ints:
    """Return the ``width + 1`` borders of the most even split of `elements`.

    >>> bounds(10, 4).tolist()
    [0, 2, 5, 7, 10]
    """
    return elements * np.arange(width + 1, dtype=np.int64) // width


def shard_sizes(elements: int, width: int) -> Ints:
    """Return the elements of each chip in the most even split."""
    return np.diff(bounds(elements, width))


def head_split(kv_heads: int, width: int) -> HeadSplit:
    """Return how `kv_heads` are served by `width` chips."""
    if width <= kv_heads:
        edges = bounds(kv_heads, width)
        ones = np.ones(width, dtype=np.int64)
        return HeadSplit(edges[:-1], np.diff(edges), 0 * ones, ones)
    edges = bounds(width, kv_heads)
    sizes = np.diff(edges)
    head = np.repeat(np.arange(kv_heads, dtype=np.int64), sizes)
    member = np.arange(width, dtype=np.int64) - edges[head]
    return HeadSplit(head, np.ones(width, dtype=np.int64), member, sizes[head])


def head_rows(split: HeadSplit, rows_per_head: int) -> tuple[Ints, Ints]:
    """Return the start and end rows of each chip in a projection onto heads."""
    base, size = split.first * rows_per_head, split.heads * rows_per_head
    start = base + size * split.member // split.members
    return start, base + size * (split.member + 1) // split.members


def head_sizes(split: HeadSplit, rows_per_head: int) -> Ints:
    """Return the rows of each chip in a projection onto heads."""
    start, end = head_rows(split, rows_per_head)
    return end - start
