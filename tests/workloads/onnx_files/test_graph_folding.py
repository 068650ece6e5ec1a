from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from specs.graph import Role
from specs.vector_functions import VectorFunction
from workloads.onnx_files.graph_builder import OnnxGraphBuilder
from workloads.onnx_files.graph_folding import folded

Make = Callable[..., onnx.ModelProto]
Compared = Callable[..., Any]
random = np.random.default_rng(1)


def numbers(*shape: int) -> np.ndarray:
    return (1 + random.random(shape)).astype(np.float32)


PICTURE = {"x": numbers(2, 3, 5, 4)}
NORM = {name: numbers(6) for name in ("s", "b", "m", "v")} | {"w": numbers(6, 3, 3, 3)}
CONV = helper.make_node("Conv", ["x", "w"], ["c"], name="conv")
BATCH_NORM = helper.make_node("BatchNormalization", ["c", *"sbmv"], ["n"], name="norm")


def kinds(graph: Any) -> list[str]:
    return [getattr(each, "function", None) or each.kind for each in graph.operators]


def test_a_batch_norm_behind_a_convolution_is_a_sum(
    make: Make, compared_whole: Compared
) -> None:
    relu = helper.make_node("Relu", ["n"], ["y"])
    graph = compared_whole(
        make([CONV, BATCH_NORM, relu], PICTURE, NORM, ["y"]), PICTURE
    )
    assert kinds(graph) == ["rearrange", "matmul", "add", "relu", "rearrange"]


def test_a_factor_alone_leaves_nothing_behind_the_product(
    make: Make, compared_whole: Compared
) -> None:
    matrix, row = numbers(4, 6), numbers(6)
    given = {"x": numbers(3, 4)}
    for kind in ("Mul", "Div"):
        nodes = [
            helper.make_node("MatMul", ["x", "w"], ["p"]),
            helper.make_node(kind, ["p", "r"], ["q"]),
            helper.make_node("Tanh", ["q"], ["y"]),
        ]
        model = make(nodes, given, {"w": matrix, "r": row}, ["y"])
        assert kinds(compared_whole(model, given)) == ["matmul", "tanh"]


def test_factors_and_shifts_in_any_order_are_one_sum(
    make: Make, compared_whole: Compared
) -> None:
    given = {"x": numbers(3, 4)}
    constants = {"w": numbers(4, 6), "one": numbers(6), "two": numbers(1)}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Sub", ["a", "one"], ["b"]),
        helper.make_node("Mul", ["two", "b"], ["c"]),
        helper.make_node("Add", ["one", "c"], ["d"]),
        helper.make_node("Div", ["d", "one"], ["y"]),
    ]
    graph = compared_whole(make(nodes, given, constants, ["y"]), given)
    assert kinds(graph) == ["matmul", "add"]


@pytest.mark.parametrize(
    "nodes",
    [
        # Something else reads what the product has made.
        [("Mul", "a", "r", "b"), ("Add", "a", "b", "y")],
        # The constant is what is divided, or less.
        [("Div", "r", "a", "y")],
        # What is not the same in each row is no factor of a column.
        [("Mul", "a", "places", "y")],
    ],
)
def test_what_is_no_factor_of_a_column_stays(
    make: Make, compared_whole: Compared, nodes: list[tuple[str, str, str, str]]
) -> None:
    given = {"x": numbers(3, 4)}
    constants = {"w": numbers(4, 6), "r": numbers(6), "places": numbers(3, 6)}
    made = [helper.make_node("MatMul", ["x", "w"], ["a"])]
    made += [helper.make_node(kind, [one, two], [out]) for kind, one, two, out in nodes]
    graph = compared_whole(make(made, given, constants, ["y"]), given)
    assert len(graph.operators) == 1 + len(nodes)


def test_weights_that_two_products_share_stay_as_they_are(
    make: Make, compared_whole: Compared
) -> None:
    given = {"x": numbers(3, 4), "z": numbers(2, 4)}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Mul", ["a", "r"], ["y"]),
        helper.make_node("MatMul", ["z", "w"], ["b"]),
    ]
    constants = {"w": numbers(4, 6), "r": numbers(6)}
    graph = compared_whole(make(nodes, given, constants, ["y", "b"]), given)
    assert kinds(graph) == ["matmul", "multiply", "matmul"]


def test_a_bias_alone_stays_as_it_is() -> None:
    builder = OnnxGraphBuilder()
    builder.node = "it"
    builder.made("x", (2, 3), Role.INPUT)
    matrix = builder.constant("w", (3, 4), lambda: np.ones((3, 4)))
    row = builder.constant("b", (4,), lambda: np.ones(4))
    made = builder.product("x", builder.tensor(matrix), (2, 4))
    builder.vector(VectorFunction.ADD, (made.base, builder.tensor(row)), (2, 4))
    assert folded(builder, builder.operators, set()) == builder.operators
