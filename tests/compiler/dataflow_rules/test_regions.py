import numpy as np
import pytest

from chip.dataflow import Regions
from compiler.dataflow_rules.regions import (
    Edges,
    RegionTable,
    begins_of_arrays,
    either,
    parts_of,
    weight_of,
)


def table(*rows: tuple[int, int, int, int, int, int, int]) -> Regions:
    """Return regions: owner, value, columns, parts and array of each."""
    columns = np.array(rows, dtype=np.int32).reshape(-1, 7).T
    owner, value, first, last, part_first, part_last, array = columns
    return Regions(
        owner=owner,
        value=value,
        first=first,
        last=last,
        part_first=part_first,
        part_last=part_last,
        array=array,
    )


def test_ranges_that_cover_a_wider_one_once_have_its_weight() -> None:
    whole = weight_of(np.array([0]), np.array([10]))
    parts = weight_of(np.array([0, 4]), np.array([4, 10]))
    assert parts.sum(dtype=np.uint64) == whole[0]


@pytest.mark.parametrize(
    ("first", "last"), [([0, 3], [4, 10]), ([0, 5], [4, 10]), ([0, 0], [10, 4])]
)
def test_ranges_with_a_gap_or_twice_do_not(first: list[int], last: list[int]) -> None:
    whole = weight_of(np.array([0]), np.array([10]))
    parts = weight_of(np.array(first), np.array(last))
    assert parts.sum(dtype=np.uint64) != whole[0]


def test_either_is_found_where_one_of_two_is() -> None:
    none = np.array([-1, -1, -1])

    def edges(found: list[bool]) -> Edges:
        here = np.where(found, 0, none)
        return Edges(np.array(found), here, here + 1, here, here + 1)

    joined = either(edges([True, True, False]), edges([True, False, False]))
    assert joined.found.tolist() == [False, True, False]


def test_heads_have_as_many_parts_as_the_last_of_them_ends_at() -> None:
    # Chips of layer 0 share heads 0 to 2 in three parts; another layer has one.
    place = np.array([0, 0, 0, 0, 1])
    first, last = np.array([0, 0, 0, 2, 0]), np.array([2, 2, 2, 4, 2])
    part_last = np.array([1, 3, 2, 1, 1])
    assert parts_of(place, first, last, part_last).tolist() == [3, 3, 3, 1, 1]
    none = np.zeros(0, dtype=np.int64)
    assert parts_of(none, none, none, none).tolist() == []


def test_an_array_begins_where_owner_value_or_array_is_another() -> None:
    regions = table(
        (0, 0, 0, 4, 0, 1, 0),
        (0, 0, 0, 4, 2, 3, 0),
        (0, 0, 0, 4, 4, 5, 1),
        (0, 1, 0, 4, 0, 1, 1),
        (1, 1, 0, 4, 0, 1, 1),
        (1, 1, 0, 4, 2, 3, 1),
    )
    begins = [True, False, True, True, True, False]
    assert begins_of_arrays(regions).tolist() == begins
    assert begins_of_arrays(table()).tolist() == []


def test_a_table_finds_the_regions_of_a_value_in_each_operation() -> None:
    regions = table(
        (0, 1, 0, 4, 0, 1, 0),
        (0, 0, 4, 8, 0, 1, 0),
        (2, 0, 8, 9, 0, 1, 0),
        (2, 1, 1, 2, 3, 4, 0),
        (2, 0, 9, 10, 0, 1, 1),
    )
    # Values 0 and 1 have the bases 1 and 0.
    found = RegionTable(regions, np.array([1, 0]), 2)
    rows = found.rows(np.array([2, 1, 0]), np.array([1, 1, 1]))
    assert (rows.place.tolist(), rows.first.tolist()) == ([0, 0, 2], [8, 9, 4])
    assert found.seen.tolist() == [False, True, True, False, True]
    # An operation that asks for no base has none.
    assert found.rows(np.array([0]), np.array([-1])).place.tolist() == []
    every = found.all_rows(np.array([2]))
    assert every.first.tolist() == [1, 8, 9]
    assert every.part_last.tolist() == [4, 1, 1]
