import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharding.planner.coverage import check_coverage, miscounted_rectangle
from specs.errors import PlanError

Rectangle = tuple[int, int, int, int]
QUARTERS: list[Rectangle] = [
    (0, 2, 0, 3),
    (0, 2, 3, 6),
    (2, 4, 0, 3),
    (2, 4, 3, 6),
]


def table(rectangles: list[Rectangle], tensor: str = "weight") -> pd.DataFrame:
    """Return slices of a tensor of 4 rows and 6 columns."""
    columns = ["row_start", "row_end", "column_start", "column_end"]
    frame = pd.DataFrame(rectangles, columns=columns)
    return frame.assign(tensor=tensor, replica=0, tensor_rows=4, tensor_columns=6)


def test_quarters_cover_a_tensor_once() -> None:
    assert check_coverage(table(QUARTERS)) == 24


def test_slices_may_be_of_any_size_and_order() -> None:
    assert check_coverage(table([(1, 4, 1, 6), (0, 1, 0, 6), (1, 4, 0, 1)])) == 24


def test_each_tensor_is_counted_on_its_own() -> None:
    both = pd.concat([table(QUARTERS), table([(0, 4, 0, 6)], "other")])
    assert check_coverage(both) == 48


def test_each_replica_has_every_tensor() -> None:
    two = pd.concat([table(QUARTERS), table(QUARTERS).assign(replica=1)])
    assert check_coverage(two) == 48
    with pytest.raises(
        PlanError, match=r"^weight in replica 1: rows 2\.\.3, columns 3"
    ):
        check_coverage(two[:-1])


def test_a_hole_is_named_by_rows_and_columns() -> None:
    with pytest.raises(
        PlanError, match=r"^weight: rows 2\.\.3, columns 0\.\.2 are on 0 chips"
    ):
        check_coverage(table([*QUARTERS[:2], QUARTERS[3]]))


def test_an_overlap_is_named_by_rows_and_columns() -> None:
    with pytest.raises(
        PlanError, match=r"^weight: rows 1\.\.1, columns 4\.\.5 are on 2 chips"
    ):
        check_coverage(table([*QUARTERS, (1, 2, 4, 6)]))


def test_a_hole_is_not_balanced_by_an_overlap() -> None:
    with pytest.raises(PlanError, match=r"expected exactly one$"):
        check_coverage(table([*QUARTERS[:3], QUARTERS[0]]))


@pytest.mark.parametrize("outside", [(4, 5, 0, 6), (0, 4, 6, 7), (-1, 0, 0, 6)])
def test_a_slice_outside_its_tensor_is_refused(outside: Rectangle) -> None:
    with pytest.raises(PlanError, match=r"^weight: a slice lies outside its 4 x 6$"):
        check_coverage(table([*QUARTERS, outside]))


def test_the_tensor_at_fault_is_named() -> None:
    both = pd.concat([table(QUARTERS), table(QUARTERS[:3], "other")])
    with pytest.raises(PlanError, match=r"^other: rows 2\.\.3, columns 3\.\.5"):
        check_coverage(both)


@given(
    st.lists(
        st.tuples(*[st.integers(0, 4)] * 2, *[st.integers(0, 6)] * 2).filter(
            lambda edges: edges[0] < edges[1] and edges[2] < edges[3]
        ),
        max_size=5,
    )
)
def test_a_miscounted_rectangle_is_counted_cell_by_cell(
    rectangles: list[Rectangle],
) -> None:
    counts = np.zeros((4, 6), dtype=np.int64)
    for low, high, left, right in rectangles:
        counts[low:high, left:right] += 1
    edges = np.array(rectangles, dtype=np.int64).reshape(-1, 4)
    rectangle = miscounted_rectangle(edges, 4, 6)
    if rectangle is None:
        assert (counts == 1).all()
    else:
        low, high, left, right, count = rectangle
        assert count != 1
        assert (counts[low:high, left:right] == count).all()


def test_quarters_have_no_miscounted_rectangle() -> None:
    assert miscounted_rectangle(np.array(QUARTERS), 4, 6) is None
