import numpy as np
import pytest

from workloads.attributes import (
    AddAttributes,
    Attributes,
    NormAttributes,
    Rows,
    TablesAttributes,
)
from workloads.operators import Function, GraphOperator, TokenRows
from workloads.reference.activations import Array
from workloads.reference.residual_stream import (
    add,
    add_tables,
    norm_add,
    norm_scale,
    norm_weigh,
    selected,
)

ROWS = TokenRows(batch=2, context=5, query_tokens=3, answer_tokens=2)


def operator(attributes: Attributes, *outputs: str) -> GraphOperator:
    return GraphOperator(
        name="it",
        function=Function.ADD,
        inputs=(),
        outputs=outputs,
        attributes=attributes,
    )


def array(*rows: list[float]) -> Array:
    return np.array(rows, dtype=float)


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Rows.ALL, [0, 1, 2, 3, 4, 5]),
        (Rows.FIRST, [0, 3]),
        (Rows.ANSWERED, [1, 2, 4, 5]),
    ],
)
def test_rows_are_selected_in_each_sequence(
    selection: Rows, expected: list[int]
) -> None:
    found = selected(np.arange(6).reshape(6, 1), selection, ROWS)
    assert found.ravel().tolist() == expected


def test_a_norm_in_two_steps_divides_by_the_root_mean_square() -> None:
    norm = operator(NormAttributes(epsilon=3.5))
    weighed, squares = norm_weigh(norm, [array([3, 4]), array([1, 2])], ROWS)
    assert (weighed.tolist(), squares.tolist()) == ([[3, 8]], [[25]])
    # The mean square is 12.5, and the root of 16 is 4.
    assert norm_scale(norm, [weighed, squares], ROWS)[0].tolist() == [[0.75, 2]]


def test_weights_may_be_stored_as_their_difference_from_1() -> None:
    norm = operator(NormAttributes(epsilon=0, unit_offset=True))
    weighed, _ = norm_weigh(norm, [array([3, 4]), array([0, 1])], ROWS)
    assert weighed.tolist() == [[3, 8]]


def test_a_layer_norm_subtracts_the_mean_and_adds_a_bias() -> None:
    norm = operator(NormAttributes(epsilon=0, centred=True))
    weights, bias = array([1, 1, 2, 2]), array([0, 0, 0, 9])
    rows = array([1, 1, 5, 5])
    weighed, sums = norm_weigh(norm, [rows, weights], ROWS)
    assert sums.tolist() == [[12, 52]]
    # The mean is 3, the standard deviation 2.
    (found,) = norm_scale(norm, [weighed, sums, weights, bias], ROWS)
    assert found.tolist() == [[-1, -1, 2, 11]]


def test_a_normalised_result_is_added_to_the_residual() -> None:
    norm = operator(NormAttributes(epsilon=0))
    operands = [array([3, 3]), array([18]), array([1, 2]), array([10, 20])]
    assert norm_add(norm, operands, ROWS)[0].tolist() == [[11, 22]]


def test_a_sum_has_a_bias_for_each_expert_that_is_chosen() -> None:
    attributes = AddAttributes(residual=True, biased=True, chosen=True)
    operands = [array([1, 1]), array([10, 20]), array([2, 4], [6, 8]), array([0.5, 0])]
    assert add(operator(attributes, "y"), operands, ROWS)[0].tolist() == [[12, 23]]


def test_a_sum_may_come_with_its_sum_of_squares() -> None:
    attributes = AddAttributes(residual=False, biased=True)
    total, squares = add(
        operator(attributes, "y", "s"), [array([1, 1]), array([2, 3])], ROWS
    )
    assert (total.tolist(), squares.tolist()) == ([[3, 4]], [[25]])


def test_each_row_gets_the_row_of_its_position_and_of_token_type_0() -> None:
    positions, types = np.arange(8).reshape(8, 1), array([100], [1000])
    found = add_tables(
        operator(TablesAttributes(first_row=1)),
        [np.zeros((6, 1)), positions, types],
        ROWS,
    )
    # The first of three positions of a context of five is 2, in row 3.
    assert found[0].ravel().tolist() == [103, 104, 105] * 2
