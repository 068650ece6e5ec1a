import numpy as np
import pytest

from chip.dataflow import Regions
from fabric.functional_engine.regions import (
    Rectangle,
    Region,
    array_regions,
    operand_regions,
    parts_text,
    rectangles_of,
)
from specs.errors import VerificationError


def test_parts_of_equal_columns_become_one_region() -> None:
    whole = [Rectangle(7, 0, 4, 0, 2, 0), Rectangle(7, 0, 4, 5, 6, 0)]
    assert operand_regions(whole) == [Region(7, 0, 4, 0b100011)]


def test_columns_with_other_parts_are_a_region_of_their_own() -> None:
    joined = operand_regions([Rectangle(7, 0, 4, 0, 1, 0), Rectangle(7, 2, 6, 1, 2, 0)])
    assert joined == [
        Region(7, 0, 2, 0b1),
        Region(7, 2, 4, 0b11),
        Region(7, 4, 6, 0b10),
    ]


def test_columns_side_by_side_with_equal_parts_are_one_region() -> None:
    joined = operand_regions([Rectangle(7, 3, 5, 0, 1, 0), Rectangle(7, 1, 3, 0, 1, 0)])
    assert joined == [Region(7, 1, 5, 0b1)]


def test_values_stay_in_the_order_in_which_they_are_read() -> None:
    read = [Rectangle(9, 0, 1, 0, 1, 0), Rectangle(2, 0, 1, 0, 1, 0)]
    assert [each.value for each in operand_regions(read)] == [9, 2]


def test_rectangles_are_handed_out_to_their_owners() -> None:
    columns = np.array(
        [[0, 2, 2], [5, 6, 7], [0, 1, 2], [3, 4, 5], [0] * 3, [1] * 3, [0] * 3]
    )
    names = ("owner", "value", "first", "last", "part_first", "part_last", "array")
    regions = Regions(**dict(zip(names, columns.astype(np.int32), strict=True)))
    assert rectangles_of(regions, 3) == [
        [Rectangle(5, 0, 3, 0, 1, 0)],
        [],
        [Rectangle(6, 1, 4, 0, 1, 0), Rectangle(7, 2, 5, 0, 1, 0)],
    ]


def test_a_region_that_ends_before_it_begins_is_refused() -> None:
    columns = np.array([[0], [5], [3], [4], [2], [1], [0]])
    names = ("owner", "value", "first", "last", "part_first", "part_last", "array")
    regions = Regions(**dict(zip(names, columns.astype(np.int32), strict=True)))
    with pytest.raises(VerificationError, match="columns 3 to 4, parts 2 to 1"):
        rectangles_of(regions, 1)


def test_parts_of_an_array_are_one_region_and_other_arrays_are_others() -> None:
    whole = [
        Rectangle(7, 0, 4, 0, 2, 0),
        # The same columns, sent as an array of their own.
        Rectangle(7, 0, 4, 2, 3, 1),
        Rectangle(7, 0, 4, 5, 6, 0),
        # Arrays are numbered in each value.
        Rectangle(8, 0, 4, 0, 1, 0),
    ]
    assert array_regions(whole) == [
        Region(7, 0, 4, 0b100011),
        Region(7, 0, 4, 0b100),
        Region(8, 0, 4, 0b1),
    ]


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (0, "none"),
        (0b1, "0"),
        (0b1000, "3"),
        (0b1111, "0-3"),
        (0b1011, "0-1, 3"),
        (0b110100, "2, 4-5"),
        (1 << 200 | 0b11 << 64, "64-65, 200"),
    ],
)
def test_parts_are_told_as_ranges(parts: int, text: str) -> None:
    assert parts_text(parts) == text
