import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharding.parallelism.grid import ColumnSplit, Grid, grids, parse_grids
from specs.errors import PlanError

GRIDS = st.builds(Grid, column=st.integers(1, 9), row=st.integers(1, 9))
PIPELINES = st.builds(
    Grid,
    column=st.integers(1, 9),
    row=st.integers(1, 9),
    pipeline=st.integers(1, 4),
)


@given(PIPELINES)
def test_a_grid_is_what_it_says(grid: Grid) -> None:
    assert parse_grids(str(grid), grid.chips) == [grid]


@given(GRIDS, st.integers(9, 500), st.integers(9, 500))
def test_every_element_of_a_matrix_is_on_one_chip(
    grid: Grid, rows: int, columns: int
) -> None:
    (low, high), (left, right) = grid.rows(rows), grid.columns(columns)
    held = np.zeros((rows, columns), dtype=np.int64)
    for member in range(grid.chips):
        held[low[member] : high[member], left[member] : right[member]] += 1
    assert (held == 1).all()


@given(GRIDS, st.integers(1, 100), st.integers(9, 500))
def test_the_parts_of_a_result_are_the_result(
    grid: Grid, rows: int, columns: int
) -> None:
    assert grid.parts(rows * columns, ColumnSplit(columns)).sum() == rows * columns


@given(GRIDS, st.integers(1, 9), st.integers(9, 100))
def test_columns_that_go_together_are_not_parted(
    grid: Grid, rows: int, units: int
) -> None:
    split = ColumnSplit(4 * units, blocks=4, step=4)
    first, last = grid.part_edges(4 * rows * units, split)
    made, end = grid.part_edges(rows * units, split._replace(step=1))
    assert (first == 4 * made).all()
    assert (last == 4 * end).all()
    begin, _ = grid.columns(4 * units, blocks=4)
    assert (begin % 4 == 0).all()


@given(GRIDS, st.integers(0, 500))
def test_even_shares_add_up_and_differ_by_one_at_most(
    grid: Grid, elements: int
) -> None:
    shares = grid.even_shares(elements)
    assert shares.shape == (grid.chips,)
    assert shares.sum() == elements
    assert shares.max() - shares.min() <= 1


def test_members_of_a_grid_column_follow_one_another() -> None:
    grid = Grid(column=3, row=2)
    assert grid.column_of.tolist() == [0, 0, 1, 1, 2, 2]
    assert grid.row_of.tolist() == [0, 1, 0, 1, 0, 1]


def test_stages_share_the_chips_that_there_are() -> None:
    (grid,) = parse_grids("column=2,pipeline=2", 8)
    assert (grid.width, grid.chips) == (4, 8)
    assert str(grid) == "column=2,row=2,pipeline=2"
    assert [str(each) for each in parse_grids("tensor=4,pipeline=2", 8)] == [
        "column=4,row=1,pipeline=2",
        "column=2,row=2,pipeline=2",
        "column=1,row=4,pipeline=2",
    ]


def test_what_is_left_out_is_filled_up_to_the_chips() -> None:
    assert [str(grid) for grid in parse_grids("column=4", 8)] == ["column=4,row=2"]
    assert [str(grid) for grid in grids(4)] == [
        "column=4,row=1",
        "column=2,row=2",
        "column=1,row=4",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("expert=8", "no key 'expert'"),
        ("tensor=4,row=2", "tensor=4 leaves the grid open; leave it out, or row"),
        ("tensor=4,pipeline=3", "takes 4 x 1 x 3 = 12 chips but 8 are there"),
        ("column=8,column=4", "column needs one number"),
        ("column=zero", "column needs one number"),
        ("row=0", "row needs one number of at least 1"),
        ("", "is empty; write column=4,row=2, or auto"),
        ("column=4,row=4", r"4 x 4 = 16 chips but 8 are there; use --chips 16"),
    ],
)
def test_a_split_that_cannot_be_meant_is_refused(text: str, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        parse_grids(text, 8)
