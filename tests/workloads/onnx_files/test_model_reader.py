from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from specs.errors import SpecError
from specs.formats import Format
from specs.graph import Role
from workloads.onnx_files.model_reader import NODES, ModelReader
from workloads.onnx_files.reading import shaped_model

Make = Callable[..., onnx.ModelProto]
X = {"x": np.ones((2, 6), np.float32)}


def test_every_node_that_is_not_modelled_is_named_in_one_message(
    make: Make, read: Callable[..., Any]
) -> None:
    nodes = [
        helper.make_node("Sign", ["x"], ["a"], name="first"),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("CumSum", ["b", "axis"], ["c"], name="second"),
        helper.make_node("Fused", ["c"], ["y"], name="third", domain="mine"),
        helper.make_node("Sign", ["x"], ["unread"], name="fourth"),
    ]
    model = make(nodes, X, {"axis": np.array(1)}, ["y"])
    model.opset_import.append(helper.make_opsetid("mine", 1))
    with pytest.raises(SpecError) as caught:
        read(model)
    message = str(caught.value)
    named = "first (Sign), second (CumSum), third (mine.Fused); modelled are Abs, "
    assert f"it has 3 nodes that are not modelled: {named}" in message
    assert "fourth" not in message
    assert "\n" not in message


def test_every_setting_that_is_not_modelled_is_named_in_one_message(
    make: Make, read: Callable[..., Any]
) -> None:
    nodes = [
        helper.make_node("Pad", ["x", "pads"], ["a"], name="one", mode="wrap"),
        helper.make_node("Relu", ["a"], ["b"], name="behind"),
        helper.make_node("Div", ["i", "i"], ["w"], name="two"),
        helper.make_node("Cast", ["w"], ["c"], name="turned", to=1),
        helper.make_node("Add", ["b", "c"], ["y"], name="behind both"),
    ]
    given = X | {"i": np.ones((1, 1), np.int64)}
    model = make(nodes, given, {"pads": np.array([0, 9, 0, 0])}, ["y"])
    with pytest.raises(SpecError) as caught:
        read(model)
    assert "one (Pad) adds more places in mode wrap" in str(caught.value)
    assert "; two (Div) divides whole numbers" in str(caught.value)
    assert "turned" not in str(caught.value)
    assert "behind" not in str(caught.value)


def test_the_reader_gives_inputs_weights_and_outputs_their_roles(make: Make) -> None:
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    model = make([node], X, {"w": np.ones((6, 4), np.float16)}, ["y"])
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    shaped = shaped_model(model, "it", {}, tuple(NODES))
    graph = ModelReader(shaped, "it").graph()
    assert [(t.name, t.role, t.format) for t in graph.tensors] == [
        ("x", Role.INPUT, Format.FP16),
        ("w", Role.WEIGHTS, Format.FP16),
        ("y", Role.OUTPUT, None),
    ]


def test_weights_that_a_node_fills_are_weights(
    make: Make, compared_whole: Callable[..., Any]
) -> None:
    value = helper.make_tensor("v", onnx.TensorProto.FLOAT, [1], [0.5])
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["w"], value=value),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    model = make(nodes, X, {"shape": np.array([6, 20_000])}, ["y"])
    graph = compared_whole(model, X)
    assert [t.shape for t in graph.tensors if t.role is Role.WEIGHTS] == ["6 x 20000"]


def test_values_without_elements_may_be_moved_and_not_computed_with(
    make: Make, compared_whole: Callable[..., Any], read: Callable[..., Any]
) -> None:
    parts = {"parts": np.array([0, 6])}
    split = helper.make_node("Split", ["x", "parts"], ["none", "all"], axis=1)
    join = helper.make_node("Concat", ["none", "all"], ["y"], axis=1)
    compared_whole(make([split, join], X, parts, ["y"]), X)
    total = helper.make_node("ReduceSum", ["none"], ["y"], name="total")
    with pytest.raises(SpecError, match=r"total \(ReduceSum\) reads a value without"):
        read(make([split, total], X, parts, ["y"]))


def test_names_may_have_brackets(
    make: Make, compared_whole: Callable[..., Any]
) -> None:
    node = helper.make_node("Add", ["x", "w[0]"], ["y"], name="it[1]")
    graph = compared_whole(make([node], X, {"w[0]": np.ones(6, np.float32)}, ["y"]), X)
    assert [each.name for each in graph.operators] == ["it(1).add"]


def test_a_branch_is_named_as_what_is_not_modelled(
    make: Make, read: Callable[..., Any]
) -> None:
    value = helper.make_tensor_value_info("b", onnx.TensorProto.FLOAT, (2, 6))
    inner = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["b"])], "branch", [], [value]
    )
    node = helper.make_node(
        "If", ["flag"], ["y"], name="choice", then_branch=inner, else_branch=inner
    )
    given = X | {"flag": np.array(True)}
    with pytest.raises(SpecError, match=r"not modelled: choice \(If\); modelled are"):
        read(make([node], given, {}, ["y"]))
