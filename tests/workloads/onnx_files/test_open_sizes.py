from collections.abc import Callable
from typing import Any

import onnx
import pytest
from onnx import helper

from specs.errors import SpecError
from workloads.onnx_files.open_sizes import set_sizes


@pytest.fixture
def model() -> onnx.ModelProto:
    float_ = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("Softmax", ["x"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("x", float_, ["batch", "length", None, 8])],
        [helper.make_tensor_value_info("y", float_, ["batch", "length", None, 8])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)])


def test_all_sizes_that_are_open_are_named_with_a_way_to_give_them(
    model: onnx.ModelProto,
) -> None:
    named = r"batch \(of input x\), length \(of input x\), x.2 \(of input x\)"
    way = "as in it.onnx:batch=1,length=1,x.2=1"
    with pytest.raises(SpecError, match=f"leaves sizes open: {named}; .*{way}"):
        set_sizes(model.graph, {}, "it.onnx")
    with pytest.raises(SpecError, match=r"as in it.onnx:batch=4,length=1,x.2=1"):
        set_sizes(model.graph, {"batch": 4}, "it.onnx")


def test_sizes_that_are_given_are_those_of_the_graph(
    model: onnx.ModelProto, read: Callable[..., Any]
) -> None:
    graph = read(model, batch=2, length=3, **{"x.2": 4})
    assert {tensor.shape for tensor in graph.tensors} == {"6 of 4 x 8", "24 x 8"} or {
        tensor.elements for tensor in graph.tensors
    } == {192}


def test_a_size_that_nothing_leaves_open_is_refused(model: onnx.ModelProto) -> None:
    sizes = {"batch": 1, "length": 1, "x.2": 1, "width": 2}
    with pytest.raises(SpecError, match="no input leaves the size width open; it has"):
        set_sizes(model.graph, sizes, "it.onnx")
