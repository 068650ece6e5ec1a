import numpy as np
import pytest

from specs.errors import SpecError
from specs.vector_functions import VectorFunction
from workloads.attributes import Attributes
from workloads.graph_attributes import (
    LookupRowsAttributes,
    MatrixProductAttributes,
    PairedProductAttributes,
    VectorAttributes,
)
from workloads.operators import Function, GraphOperator, TokenRows
from workloads.reference.activations import Array
from workloads.reference.graph_operators import (
    lookup_rows,
    matrix_product,
    paired_product,
    vector,
)

ROWS = TokenRows(batch=1, context=1, query_tokens=1, answer_tokens=1)
# Two matrices of two inputs by two outputs: the first doubles, the second swaps.
STACK = np.array([[2.0, 0], [0, 2], [0, 1], [1, 0]])


def with_attributes(function: Function, attributes: Attributes) -> GraphOperator:
    return GraphOperator(
        name="op",
        function=function,
        inputs=(),
        outputs=(),
        attributes=attributes,
    )


def product(chosen: bool, *operands: Array, left: int = 1) -> list[list[float]]:
    used = 1 if chosen else 2
    attributes = MatrixProductAttributes(
        left=left, matrices=2, used=used, chosen=chosen, shape=(2 * used, 2)
    )
    operator = with_attributes(Function.MATRIX_PRODUCT, attributes)
    (made,) = matrix_product(operator, operands, ROWS)
    rows: list[list[float]] = made.tolist()
    return rows


def test_each_row_meets_every_matrix_before_the_next_row() -> None:
    x = np.array([[1.0, 2], [3, 4]])
    assert product(False, x, STACK) == [[2, 4], [2, 1], [6, 8], [4, 3]]


def test_left_operands_lie_side_by_side() -> None:
    x, y = np.array([[1.0], [3]]), np.array([[2.0], [4]])
    beside = product(False, x, y, STACK, left=2)
    assert beside == product(False, np.array([[1.0, 2], [3, 4]]), STACK)


def test_a_choice_numbers_the_matrix_of_each_row() -> None:
    x = np.array([[1.0, 2], [3, 4]])
    assert product(True, x, STACK, np.array([[1], [0]])) == [[2, 1], [6, 8]]
    with pytest.raises(SpecError, match="op multiplies with 1 of 2 matrices, and noth"):
        product(True, x, STACK)


def test_matrices_are_multiplied_in_pairs() -> None:
    attributes = PairedProductAttributes(matrices=2, shape=(2, 2))
    operator = with_attributes(Function.PAIRED_PRODUCT, attributes)
    # A row of each of two matrices.
    left = np.array([[1.0, 2], [3, 4]])
    (made,) = paired_product(operator, (left, STACK), ROWS)
    assert made.tolist() == [[2, 4], [4, 3]]


def test_operands_of_a_vector_function_take_the_shape_of_its_result() -> None:
    attributes = VectorAttributes(
        function=VectorFunction.ADD, epsilon=0, shapes=((2, 2),)
    )
    operator = with_attributes(Function.VECTOR, attributes)
    column, row = np.array([[1.0], [2], [3], [4]]), np.array([[10.0, 20]])
    (made,) = vector(operator, (column, row), ROWS)
    assert made.tolist() == [[11, 22], [13, 24]]


def test_a_vector_operator_without_a_function_cannot_be_evaluated() -> None:
    attributes = VectorAttributes(function=None, epsilon=0, shapes=((1, 1),))
    operator = with_attributes(Function.VECTOR, attributes)
    with pytest.raises(SpecError, match="op does not say what it computes; give it a"):
        vector(operator, (), ROWS)


def test_a_lookup_adds_a_row_of_each_table() -> None:
    operator = with_attributes(Function.LOOKUP_ROWS, LookupRowsAttributes(tables=2))
    tables = np.array([[1.0, 2], [3, 4]]), np.array([[10.0, 20], [30, 40]])
    numbers = np.array([[1], [0]]), np.array([[1], [1]])
    (made,) = lookup_rows(operator, (*tables, *numbers), ROWS)
    assert made.tolist() == [[33, 44], [31, 42]]
    with pytest.raises(SpecError, match="op looks up 2 tables, and 1 tensors of row"):
        lookup_rows(operator, (*tables, numbers[0]), ROWS)
