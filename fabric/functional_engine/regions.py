"""Regions of values: ranges of columns, each with the set of its parts."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from chip.dataflow import Regions
from specs.errors import VerificationError


class Region(NamedTuple):
    """Region of a value: a range of columns, and any of its parts.

    Attributes
    ----------
    value
        Row of `Dataflow.values`.
    first, last
        Range of columns, end exclusive.
    parts
        Parts as the set bits of an integer.
    """

    value: int
    first: int
    last: int
    parts: int


class Rectangle(NamedTuple):
    """Region as a dataflow states it: columns and parts are ranges, ends exclusive.

    `array` is the number of the array that it is a range of parts of.
    """

    value: int
    first: int
    last: int
    part_first: int
    part_last: int
    array: int

    @property
    def region(self) -> Region:
        """Return the region."""
        parts = (1 << self.part_last) - (1 << self.part_first)
        return Region(self.value, self.first, self.last, parts)


def rectangles_of(regions: Regions, owners: int) -> list[list[Rectangle]]:
    """Return the rectangles that the functional engine reads or writes, by owner.

    Raises
    ------
    VerificationError
        If a region ends before it begins.
    """
    turned = (regions.first >= regions.last) | (regions.part_first < 0)
    turned |= regions.part_first >= regions.part_last
    if turned.any():
        row = int(np.argmax(turned))
        raise VerificationError(
            f"region {row} ends before it begins: columns {regions.first[row]} to "
            f"{regions.last[row]}, parts {regions.part_first[row]} to "
            f"{regions.part_last[row]} (ends exclusive)"
        )
    rows = np.column_stack(
        (
            regions.value,
            regions.first,
            regions.last,
            regions.part_first,
            regions.part_last,
            regions.array,
        )
    ).tolist()
    edges = np.searchsorted(regions.owner, np.arange(owners + 1)).tolist()
    made = [Rectangle(*row) for row in rows]
    return [made[a:b] for a, b in pairwise(edges)]


def operand_regions(rectangles: Sequence[Rectangle]) -> list[Region]:
    """Return the regions to execute on: all parts of equal columns are in one."""
    if len(rectangles) == 1:
        return [rectangles[0].region]
    by_value: dict[int, list[Region]] = {}
    for each in rectangles:
        by_value.setdefault(each.value, []).append(each.region)
    return [region for own in by_value.values() for region in _joined(own)]


def array_regions(rectangles: Sequence[Rectangle]) -> list[Region]:
    """Return the regions of arrays to execute on: all parts of an array in one."""
    arrays: dict[tuple[int, int], Region] = {}
    for each in rectangles:
        own, key = each.region, (each.value, each.array)
        before = arrays.get(key)
        arrays[key] = own._replace(parts=own.parts | before.parts) if before else own
    return list(arrays.values())


def _joined(regions: list[Region]) -> list[Region]:
    """Return the regions of one value with all parts of equal columns joined."""
    if len(regions) == 1:
        return regions
    cuts = sorted({edge for each in regions for edge in (each.first, each.last)})
    joined: list[Region] = []
    for first, last in pairwise(cuts):
        parts = 0
        for each in regions:
            if each.first <= first and last <= each.last:
                parts |= each.parts
        if joined and joined[-1].last == first and joined[-1].parts == parts:
            joined[-1] = joined[-1]._replace(last=last)
        elif parts:
            joined.append(Region(regions[0].value, first, last, parts))
    return joined


def parts_text(parts: int) -> str:
    """Return a set of parts as text, for errors of the functional engine.

    >>> parts_text(0b1110011)
    '0-1, 4-6'
    """
    ranges, place = [], 0
    while parts >> place:
        low = parts >> place
        place += (low & -low).bit_length() - 1
        run = parts >> place
        count = (~run & (run + 1)).bit_length() - 1
        end = place + count - 1
        ranges.append(f"{place}-{end}" if count > 1 else f"{place}")
        place += count
    return ", ".join(ranges) or "none"
