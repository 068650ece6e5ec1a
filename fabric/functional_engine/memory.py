"""Memory of a chip: pieces of values, each with the cycle from which it is there."""

from bisect import insort
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from fabric.functional_engine.regions import Region, parts_text

Array = NDArray[Any]
# How two arrays of the same columns, of different parts, become one.
Join = Callable[[Array, Array], Array]


class Piece(NamedTuple):
    """Piece of a value in the memory of a chip.

    Attributes
    ----------
    first, last
        Range of columns, end exclusive.
    parts
        Parts that are summed in it, as the set bits of an integer.
    array
        Numbers; the last axis has the columns, the axis before it mostly the rows.
    since
        Cycle from which the piece is there.
    """

    first: int
    last: int
    parts: int
    array: Array
    since: int

    def cut(self, first: int, last: int) -> Array:
        """Return the array of columns ``first .. last - 1``."""
        if (first, last) == (self.first, self.last):
            return self.array
        return self.array[..., first - self.first : last - self.first]


class Absent(NamedTuple):
    """Columns and parts of a region that are not in a memory.

    Attributes
    ----------
    first, last, parts
        The columns, and the parts of them that are missing.
    since
        Cycle from which some of them will be there, None if nothing is known.
    """

    first: int
    last: int
    parts: int
    since: int | None

    def __str__(self) -> str:
        """Return what is missing as text."""
        text = f"columns {self.first}-{self.last - 1}, parts {parts_text(self.parts)}"
        if self.since is None:
            return text
        return f"{text} (there from cycle {self.since})"


# Pieces of a region for consecutive ranges of columns, or what is missing.
Found = list[list[Piece]] | Absent


@final
class ChipMemory:
    """Memory of one chip: the pieces of each value, in the order of their parts."""

    def __init__(self) -> None:
        self._pieces: dict[int, list[Piece]] = {}

    def write(self, value: int, piece: Piece) -> None:
        """Add a piece of a value. What is there already stays as it is."""
        held = self._pieces.setdefault(value, [])
        for each in held:
            if each[:3] == piece[:3] and each.since <= piece.since:
                return
        insort(held, piece, key=_order)

    def replace(self, value: int, piece: Piece) -> None:
        """Put a piece in the place of those of its columns whose parts it sums."""
        kept: list[Piece] = []
        for each in self._pieces.get(value, []):
            if each.parts & ~piece.parts or not each.parts:
                kept.append(each)
                continue
            for first, last in (
                (each.first, min(each.last, piece.first)),
                (max(each.first, piece.last), each.last),
            ):
                if first < last:
                    kept.append(
                        each._replace(
                            first=first, last=last, array=each.cut(first, last)
                        )
                    )
        kept.append(piece)
        self._pieces[value] = sorted(kept, key=_order)

    def holds(self, value: int) -> bool:
        """Return whether there is any piece of a value."""
        return value in self._pieces

    def pieces(self, value: int) -> list[Piece]:
        """Return all pieces of a value."""
        return self._pieces.get(value, [])

    def find(self, region: Region, cycle: int) -> Found:
        """Return the pieces of a region at a cycle, for one range of columns each.

        Parameters
        ----------
        region
            The region. A piece is taken if all that it sums is part of the region.
        cycle
            Cycle at which it is read.

        Returns
        -------
        list of list of Piece
            For consecutive columns of the region, the pieces that have all parts of
            them, in the order of their parts. Or what is missing.
        """
        value, first, last, wanted = region
        near = [
            each
            for each in self._pieces.get(value, ())
            if each.first < last and first < each.last and not each.parts & ~wanted
        ]
        cuts = {first, last}
        for each in near:
            cuts.add(max(first, each.first))
            cuts.add(min(last, each.last))
        edges = sorted(cuts)
        found: dict[int, list[Piece]] = {edge: [] for edge in edges[:-1]}
        covered = dict.fromkeys(edges[:-1], 0)
        place = {edge: index for index, edge in enumerate(edges)}
        for each in near:
            if each.since > cycle:
                continue
            begin = place[max(first, each.first)]
            for edge in edges[begin : place[min(last, each.last)]]:
                if not covered[edge] & each.parts:
                    covered[edge] |= each.parts
                    found[edge].append(each)
        for edge, end in pairwise(edges):
            if covered[edge] != wanted:
                late = [e.since for e in near if e.since > cycle and e.first <= edge]
                missing = wanted & ~covered[edge]
                return Absent(edge, end, missing, min(late, default=None))
        return [
            [
                Piece(edge, end, each.parts, each.cut(edge, end), each.since)
                for each in found[edge]
            ]
            for edge, end in pairwise(edges)
        ]


def joined(found: list[list[Piece]], join: Join = np.add) -> Array:
    """Return the numbers of a region: its parts joined, its columns side by side.

    Parameters
    ----------
    found
        Pieces of the region, from `ChipMemory.find`.
    join
        How parts of the same columns become one.
    """
    arrays = []
    for pieces in found:
        array = pieces[0].array
        for each in pieces[1:]:
            array = join(array, each.array)
        arrays.append(array)
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=-1)


def _order(piece: Piece) -> tuple[int, int, int]:
    """Return the place of a piece among others: by its first part, then its columns."""
    return (piece.parts & -piece.parts).bit_length(), piece.first, piece.last
