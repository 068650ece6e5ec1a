import numpy as np
import pytest

from workloads.attributes import Attributes
from workloads.feed_forward_attributes import ActivateAttributes, ChoiceAttributes
from workloads.operators import Function, GraphOperator, TokenRows
from workloads.reference.feed_forward_and_head import activate, choose

ROWS = TokenRows(batch=1, context=1, query_tokens=1, answer_tokens=1)


def operator(function: Function, attributes: Attributes) -> GraphOperator:
    return GraphOperator(
        name="it", function=function, inputs=(), outputs=(), attributes=attributes
    )


def choice(used: int, scores: list[float], squares: float) -> list[float]:
    attributes = ChoiceAttributes(
        experts=len(scores), experts_per_token=used, columns=2, epsilon=0.0
    )
    operands = [np.array([scores]), np.array([[squares]])]
    (found,) = choose(operator(Function.CHOOSE, attributes), operands, ROWS)
    return [float(share) for share in found[0]]


def test_the_best_experts_share_a_row_by_a_softmax() -> None:
    # The root mean square is 2: scores of 0, 1 and 2.
    e = np.e
    expected = [0, 1 / (1 + e), e / (1 + e)]
    assert choice(2, [0.0, 2.0, 4.0], squares=8.0) == pytest.approx(expected)


def test_of_equal_experts_the_first_is_chosen() -> None:
    assert choice(1, [3.0, 3.0, 1.0], squares=2.0) == [1, 0, 0]


def test_columns_of_an_expert_count_as_much_as_it_is_chosen() -> None:
    attributes = ActivateAttributes(
        activation="relu", gated=True, experts=2, chosen=True
    )
    gate, up = np.array([[1.0, 2, 3, -4]]), np.array([[5.0, 6, 7, 8]])
    shares = np.array([[0.25, 0.5]])
    (found,) = activate(
        operator(Function.ACTIVATE, attributes), [gate, up, shares], ROWS
    )
    assert found.tolist() == [[1.25, 3, 10.5, 0]]


def test_biases_are_added_before_the_activation() -> None:
    attributes = ActivateAttributes(activation="relu", biased=True)
    operands = [np.array([[-1.0, -1]]), np.array([[3.0, 0]])]
    (found,) = activate(operator(Function.ACTIVATE, attributes), operands, ROWS)
    assert found.tolist() == [[2, 0]]


def test_a_clipped_gate_is_bounded_on_one_side_and_what_it_multiplies_on_both() -> None:
    attributes = ActivateAttributes(
        activation="silu", gated=True, alpha=2.0, limit=3.0, offset=1.0
    )
    gates, ups = np.array([[9.0, -9, 1]]), np.array([[9.0, -9, 0.5]])
    (found,) = activate(operator(Function.ACTIVATE, attributes), [gates, ups], ROWS)
    expected = [
        3 / (1 + np.exp(-6)) * 4,
        -9 / (1 + np.exp(18)) * -2,
        1 / (1 + np.exp(-2)) * 1.5,
    ]
    assert found[0].tolist() == pytest.approx(expected)


def test_weights_of_experts_may_multiply_what_enters_them() -> None:
    attributes = ActivateAttributes(
        activation="relu", gated=True, experts=2, chosen=True, weighs_inputs=True
    )
    gates, ups = np.array([[2.0, 4]]), np.array([[3.0, 5]])
    operands = [gates, ups, np.array([[0.5, 1]])]
    (found,) = activate(operator(Function.ACTIVATE, attributes), operands, ROWS)
    # Gate and operand are halved both.
    assert found.tolist() == [[1.5, 20]]
