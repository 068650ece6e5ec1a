import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.collectives.grid_coordinates import grid_coordinates, line_numbers
from topologies.selection import select_topology

TWO_RACKS = select_topology(144, "dragonfly")


@pytest.mark.parametrize(
    ("members", "sizes"),
    [
        (range(8), [8]),
        (range(16), [2, 8]),
        (range(0, 72, 8), [9]),
        (range(144), [2, 9, 8]),
        # Racks of unlike numbers of nodes, but nodes of equally many chips.
        (range(80), [10, 8]),
        # Four chips of a node, in each of two nodes of each rack.
        ([*range(4), *range(8, 12), *range(72, 76), *range(80, 84)], [2, 2, 4]),
    ],
)
def test_members_that_fill_a_grid_have_an_axis_for_each_level_with_several(
    members: list[int], sizes: list[int]
) -> None:
    axes = grid_coordinates(TWO_RACKS, np.array(members))
    assert axes is not None
    assert (axes.max(axis=1) + 1).tolist() == sizes
    assert len(np.unique(axes, axis=1).T) == len(members)


@pytest.mark.parametrize("members", [range(9), range(4, 12), [0, 9], range(12)])
def test_members_that_fill_no_grid_have_no_coordinates(members: list[int]) -> None:
    assert grid_coordinates(TWO_RACKS, np.array(members)) is None


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1))
def test_line_numbers_rank_the_distinct_columns(columns: list[tuple[int, int]]) -> None:
    ranks = line_numbers(np.array(columns).T)
    order = sorted(set(columns))
    assert [order[rank] for rank in ranks.tolist()] == columns


def test_without_axes_all_members_are_on_one_line() -> None:
    assert line_numbers(np.zeros((0, 3), dtype=np.int64)).tolist() == [0, 0, 0]
