from hypothesis import given
from hypothesis import strategies as st

from chip.element_numbering import Numbering, in_order

SIDES = st.integers(1, 9)


@given(SIDES, SIDES, SIDES)
def test_every_element_of_a_matrix_is_counted_once(
    rows: int, units: int, blocks: int
) -> None:
    numbering = Numbering(rows, units, blocks)
    places = numbering.places(0, numbering.elements)
    assert sorted(places.tolist()) == list(range(rows * units * blocks))


def test_columns_are_counted_one_after_the_other() -> None:
    # Rows of three: elements 0, 1, 2 and 3, 4, 5.
    assert Numbering(2, 3).places(0, 6).tolist() == [0, 3, 1, 4, 2, 5]
    assert in_order(6).places(2, 5).tolist() == [2, 3, 4]


def test_blocks_of_a_unit_are_beside_each_other() -> None:
    # Of rows of two blocks of two columns, the first column of both comes first.
    assert Numbering(1, 2, 2).places(0, 4).tolist() == [0, 2, 1, 3]
    assert Numbering(2, 2, 2).places(0, 4).tolist() == [0, 2, 4, 6]
