"""Values of graphs as the functional engine has them: matrices with what is there."""

import numpy as np

from chip.element_numbering import Numbering, in_order
from fabric.functional_engine.graph_settings import ValueShape, natural


def test_elements_are_put_where_their_numbers_are() -> None:
    # Two rows of two blocks with two columns each.
    shape = ValueShape(2, 4, Numbering(rows=2, units=2, blocks=2))
    matrix = natural(shape, 0, 8, np.arange(8.0))
    # The first unit has elements 0 and 1 of its blocks in row 0, 2 and 3 in row 1.
    assert matrix.tolist() == [[0, 4, 1, 5], [2, 6, 3, 7]]


def test_elements_that_a_chip_lacks_are_not_a_number() -> None:
    matrix = natural(ValueShape(2, 3, in_order(6)), 2, 4, np.array([8.0, 9.0]))
    assert np.isnan(matrix).tolist() == [[True, True, False], [False, True, True]]
    assert matrix[0, 2] == 8
    assert matrix[1, 0] == 9


def test_precision_stays_and_integers_become_numbers_that_may_lack() -> None:
    shape = ValueShape(1, 2, in_order(2))
    assert natural(shape, 0, 2, np.zeros(2, dtype=np.float32)).dtype == np.float32
    found = natural(shape, 0, 1, np.array([3]))
    assert found.dtype == np.float64
    assert found[0, 0] == 3
    assert np.isnan(found[0, 1])
