from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from specs.errors import SpecError
from workloads.onnx_files.node_order import check_names, name_of, sort_nodes

X = {"x": np.ones((2, 3), np.float32)}
Make = Callable[..., onnx.ModelProto]


def relu(one: str, other: str) -> onnx.NodeProto:
    return helper.make_node("Relu", [one], [other], name=f"to_{other}")


def test_nodes_are_sorted_by_what_they_read(make: Make) -> None:
    model = make([relu("a", "y"), relu("x", "a")], X, {}, ["y"])
    check_names(model.graph, "it")
    sort_nodes(model.graph, "it")
    assert [node.name for node in model.graph.node] == ["to_a", "to_y"]


def test_nodes_that_wait_for_each_other_are_named_in_one_line(
    make: Make, read: Callable[..., Any]
) -> None:
    add = helper.make_node("Add", ["x", "b"], ["a"], name="to_a")
    model = make([add, relu("a", "b"), relu("b", "y")], X, {}, ["y"])
    with pytest.raises(
        SpecError, match="it: its nodes wait for each other: "
    ) as caught:
        read(model)
    assert "to_a -> to_b" in str(caught.value) or "to_b -> to_a" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("nodes", "outputs", "why"),
    [
        ([relu("z", "y")], ["y"], "to_y reads z, which nothing makes"),
        ([relu("x", "y")], ["z"], "z is an output, which nothing makes"),
        ([relu("x", "y"), relu("x", "y")], ["y"], "to_y makes y, which the result of"),
        ([relu("x", "x")], ["x"], "to_x makes x, which an input is already"),
    ],
)
def test_a_value_is_made_once(
    make: Make, nodes: list[onnx.NodeProto], outputs: list[str], why: str
) -> None:
    with pytest.raises(SpecError, match=f"it: {why}"):
        check_names(make(nodes, X, {}, outputs).graph, "it")


def test_a_node_without_a_name_is_numbered() -> None:
    assert name_of(helper.make_node("Relu", ["x"], ["y"]), 7) == "Relu_7"
    assert name_of(relu("x", "y"), 7) == "to_y"
