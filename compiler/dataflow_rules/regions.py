"""Regions of a dataflow as the rules look at them, and the weights that compare them.

For `compiler.verify`; independent of the code that makes programs.
"""

from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from chip.dataflow import Regions
from specs.arrays import Ints

Flags = NDArray[np.bool_]


def scattered(numbers: NDArray[np.integer]) -> NDArray[np.uint64]:
    """Return, for dataflow rules, 64 bits for each number, as if drawn.

    It is the finaliser of SplitMix64, in S. Vigna's reference implementation (public
    domain).
    """
    mixed = (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def weight_of(
    first: NDArray[np.integer], last: NDArray[np.integer]
) -> NDArray[np.uint64]:
    """Return, for dataflow rules, the weight of each range: of all its numbers.

    Ranges cover a wider one exactly once if, and but for a chance of 2^-64 only if,
    their weights add up to its weight, modulo 2^64.
    """
    return scattered(last) - scattered(first)


def parts_of(place: Ints, first: Ints, last: Ints, part_last: Ints) -> Ints:
    """Return, for dataflow rules, the parts of the context of each row's heads."""
    key = np.array([place, first, last])
    _, group = np.unique(key, axis=1, return_inverse=True)
    most = np.zeros(int(group.max(initial=-1)) + 1, dtype=np.int64)
    np.maximum.at(most, group, part_last)
    return most[group]


def begins_of_arrays(regions: Regions) -> NDArray[np.bool_]:
    """Return whether each region of a dataflow is the first of its array."""
    again = regions.array[1:] == regions.array[:-1]
    for name in ("owner", "value"):
        column = getattr(regions, name)
        again &= column[1:] == column[:-1]
    return np.concatenate([[True], ~again])[: len(regions)]


class Edges(NamedTuple):
    """Region of one value in each of several operations, shape ``(operations,)``.

    Attributes
    ----------
    found
        Whether the operation states a region of the value.
    first, last, part_first, part_last
        The region, -1 where there is none.
    """

    found: Flags
    first: Ints
    last: Ints
    part_first: Ints
    part_last: Ints

    @property
    def whole(self) -> Flags:
        """Return whether the region is of a complete value, not of a partial sum."""
        whole: Flags = self.found & (self.part_first == 0) & (self.part_last == 1)
        return whole

    def chosen(self, rows: Flags) -> "Edges":
        """Return the regions of some of the operations."""
        return Edges(self.found[rows], *(column[rows] for column in self[1:]))

    def columns_of(self, other: "Edges") -> Flags:
        """Return whether both regions have the same columns."""
        same = (self.first == other.first) & (self.last == other.last)
        alike: Flags = self.found & other.found & same
        return alike


def either(one: Edges, other: Edges) -> Edges:
    """Return the regions of operations that state one of two values, not both."""
    edges = (np.maximum(a, b) for a, b in zip(one[1:], other[1:], strict=True))
    return Edges(one.found ^ other.found, *edges)


class Rows(NamedTuple):
    """Regions of one value in several operations, any number in each.

    Attributes
    ----------
    place
        Place of the operation among those asked for, ascending, shape ``(regions,)``.
    first, last, part_first, part_last
        The region.
    """

    place: Ints
    first: Ints
    last: Ints
    part_first: Ints
    part_last: Ints


@final
class RegionTable:
    """Regions of one kind, found by their operation and the base of their value."""

    def __init__(self, regions: Regions, base: Ints, bases: int) -> None:
        self._regions = regions
        self._bases = bases
        key = regions.owner.astype(np.int64) * bases + base[regions.value]
        self._order = np.argsort(key, kind="stable")
        self._keys = key[self._order]
        self.seen = np.zeros(len(regions), dtype=bool)

    def rows(self, operations: Ints, base: Ints) -> Rows:
        """Return the regions in operations of values whose base is given for each."""
        key = operations * self._bases + base
        return self._between(key, key, base >= 0)

    def all_rows(self, operations: Ints) -> Rows:
        """Return all regions of operations, value after value."""
        key = operations * self._bases
        return self._between(key, key + self._bases - 1, key >= 0)

    def _between(self, first: Ints, last: Ints, wanted: Flags) -> Rows:
        """Return the regions whose keys are in a range for each operation."""
        low = np.searchsorted(self._keys, first, "left")
        high = np.searchsorted(self._keys, last, "right")
        count = np.where(wanted, high - low, 0)
        place = np.repeat(np.arange(len(first)), count)
        within = np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
        at = self._order[np.repeat(low, count) + within]
        self.seen[at] = True
        edges = self._regions
        columns = (edges.first, edges.last, edges.part_first, edges.part_last)
        return Rows(place, *(column[at].astype(np.int64) for column in columns))


@final
class MatrixParts:
    """Matrices of products in parts, for dataflow rules, and the tiles that cover them.

    The slices of one instruction lie behind each other, by their inputs or by what
    they make.

    Parameters
    ----------
    side
        Rows and columns of a tile.
    place
        Place of each operation in its instruction, shape ``(operations,)``.
    zero
        A zero for each operation.
    """

    def __init__(self, side: int, place: Ints, zero: Ints) -> None:
        self._side = side
        self._first = np.flatnonzero(place == 0)
        self._deep, self._from = 0 * zero, 0 * zero
        self._wide: list[Ints] = []

    def add(self, at: Ints, rows: Rows, wide: Ints) -> None:
        """Add a matrix, for dataflow rules: its regions, and the columns it makes."""
        np.maximum.at(self._deep, at, rows.part_last - rows.part_first)
        np.maximum.at(self._from, at, rows.part_first)
        self._wide.append(wide)

    def tiles(self, meet: Flags) -> Ints:
        """Return, for dataflow rules, tiles of instructions at their first operation.

        Parameters
        ----------
        meet
            Whether the results of an operation begin at the first lane each.
        """
        first = self._first
        if not len(first):
            return 0 * self._deep
        number = np.zeros(len(self._deep), dtype=np.int64)
        number[first[1:]] = 1
        number = np.cumsum(number)
        other = self._from != self._from[first][number]
        by_input = np.add.reduceat(other.astype(np.int64), first) > 0
        deep = np.where(by_input, np.add.reduceat(self._deep, first), self._deep[first])
        wide = [
            np.where(by_input, each[first], np.add.reduceat(each, first))
            for each in self._wide
        ]
        apart = sum((self._padded(each) for each in wide), 0 * deep)
        together = self._padded(sum(wide, 0 * deep))
        tiles = 0 * self._deep
        tiles[first] = self._padded(deep) * np.where(meet[first], apart, together)
        return tiles

    def _padded(self, lengths: Ints) -> Ints:
        """Return the tiles that cover lengths of rows or columns."""
        return -(-lengths // self._side)
