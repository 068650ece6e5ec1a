import numpy as np
import pytest

from specs.graph import Role
from workloads.onnx_files.graph_builder import OnnxGraphBuilder
from workloads.onnx_files.nodes.node import Node, UnreadNodeError, filled, reshaped


def node() -> Node:
    builder = OnnxGraphBuilder()
    builder.node = "it"
    value = builder.made("x", (2, 3), Role.INPUT)
    return Node(
        builder=builder,
        kind="Relu",
        name="it",
        version=23,
        attributes={},
        inputs=(value, None),
        shapes=((2, 3), None),
        known=lambda place: np.array([place]) if place else None,
    )


def test_a_node_has_the_operands_that_it_is_given() -> None:
    it = node()
    assert it.shape == (2, 3)
    assert (it.has(0), it.has(1), it.has(2)) == (True, False, False)
    assert it.value(0).base == "x"
    assert it.optional_numbers(1) is None
    it.only_first()


def test_an_operand_that_is_missing_or_not_known_is_refused() -> None:
    it = node()
    with pytest.raises(UnreadNodeError, match="has no operand 2"):
        it.value(1)
    with pytest.raises(UnreadNodeError, match="operand 1 must be a constant"):
        it.numbers(0)
    assert str(it.refuse("is odd")) == "is odd"


def test_a_reshape_moves_elements_only_if_it_must() -> None:
    it = node()
    assert reshaped(it, it.value(0), (6,)).base == "x"
    assert it.builder.operators == []
    moved = reshaped(it, it.value(0).transposed((1, 0)), (6,))
    assert moved.base == "it.moved"
    assert moved.shape == (6,)
    same = filled(it, (2, 2), 3)
    assert same.shape == (2, 2)
    assert same.numbers(np.array(3.0)).tolist() == [[3, 3], [3, 3]]
