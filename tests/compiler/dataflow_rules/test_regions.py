import numpy as np
import pytest

from compiler.dataflow_rules.regions import Edges, either, weight_of


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
