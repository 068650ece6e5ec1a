"""Even splits of a dimension, of KV heads and of a tensor over a tensor group."""

from typing import NamedTuple

import numpy as np

from specs.arrays import Ints


class TensorSlices(NamedTuple):
    """The slice of one tensor on each chip of a group.

    Attributes
    ----------
    tensor
        Name of the tensor.
    rows, columns
        Shape of the whole tensor.
    row_start, row_end, column_start, column_end
        Edges of the slice on each chip, ends exclusive, shape ``(width,)``.
    multiplied
        Whether the tensor is the matrix of a product. Otherwise it is a lookup table
        or an operand of vector operators.
    """

    tensor: str
    rows: int
    columns: int
    row_start: Ints
    row_end: Ints
    column_start: Ints
    column_end: Ints
    multiplied: bool = False

    @property
    def elements(self) -> Ints:
        """Return the elements of each chip's slice, shape ``(width,)``."""
        return (self.row_end - self.row_start) * (self.column_end - self.column_start)


class HeadSplit(NamedTuple):
    """The key/value heads of each chip of a group; arrays are of shape ``(width,)``.

    With up to one chip per head, a chip holds whole heads. With more chips than heads,
    the chips that share a head form a KV-head group: each holds a slice of the head's
    projections and a slice of the context in the KV cache.

    Attributes
    ----------
    first, heads
        First key/value head and number of heads of each chip.
    member, members
        Position in the KV-head group, and size of that group.
    """

    first: Ints
    heads: Ints
    member: Ints
    members: Ints


def bounds(elements: int, width: int) -> Ints:
    """Return the ``width + 1`` bounds of the most even parallel split of `elements`.

    >>> bounds(10, 4).tolist()
    [0, 2, 5, 7, 10]
    """
    return elements * np.arange(width + 1, dtype=np.int64) // width


def shard_sizes(elements: int, width: int) -> Ints:
    """Return the part sizes of the most even parallel split, shape ``(width,)``."""
    return np.diff(bounds(elements, width))


def head_split(kv_heads: int, width: int) -> HeadSplit:
    """Return the tensor-parallel split of `kv_heads` heads over `width` chips."""
    if width <= kv_heads:
        edges = bounds(kv_heads, width)
        ones = np.ones(width, dtype=np.int64)
        return HeadSplit(edges[:-1], np.diff(edges), 0 * ones, ones)
    edges = bounds(width, kv_heads)
    sizes = np.diff(edges)
    head = np.repeat(np.arange(kv_heads, dtype=np.int64), sizes)
    member = np.arange(width, dtype=np.int64) - edges[head]
    return HeadSplit(head, np.ones(width, dtype=np.int64), member, sizes[head])


def attending_rows(split: HeadSplit, rows: int) -> tuple[Ints, Ints]:
    """Return the first and end row of each tensor-parallel chip that has heads.

    They share the rows evenly, whatever heads they have. Other chips have none.

    >>> none, one = np.zeros(3, dtype=np.int64), np.array([0, 1, 1])
    >>> [edge.tolist() for edge in attending_rows(HeadSplit(none, one, none, one), 5)]
    [[0, 0, 2], [0, 2, 5]]
    """
    attends = (split.heads > 0).astype(np.int64)
    place = np.cumsum(attends) - attends
    most = max(int(attends.sum()), 1)
    start = rows * place // most * attends
    return start, rows * (place + 1) // most * attends


def head_rows(split: HeadSplit, rows_per_head: int) -> tuple[Ints, Ints]:
    """Return the first and end row of each tensor-parallel chip in a head projection.

    A KV-head group shares the rows of its head evenly.
    """
    base, size = split.first * rows_per_head, split.heads * rows_per_head
    start = base + size * split.member // split.members
    return start, base + size * (split.member + 1) // split.members


def head_sizes(split: HeadSplit, rows_per_head: int) -> Ints:
    """Return the number of rows of each tensor-parallel chip in a head projection."""
    start, end = head_rows(split, rows_per_head)
    return end - start
