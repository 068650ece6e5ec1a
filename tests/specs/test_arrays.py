import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from specs.arrays import row_order

NUMBERS = st.one_of(
    st.integers(-3, 3),
    # Three keys of these do not fit into one number.
    st.integers(-(2**62), 2**62),
)


@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), max_size=30))
def test_rows_are_in_the_order_of_their_keys(rows: list[tuple[int, int, int]]) -> None:
    keys = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    expected = sorted(range(len(rows)), key=rows.__getitem__)
    assert row_order(*keys).tolist() == expected


def test_small_types_of_integers_do_not_overflow() -> None:
    key = np.array([127, -128, 0], dtype=np.int8)
    assert row_order(key, key).tolist() == [1, 2, 0]
