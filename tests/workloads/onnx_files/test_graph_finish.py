import numpy as np

from specs.graph import Role, Vector
from specs.vector_functions import VectorFunction
from workloads.onnx_files.graph_builder import OnnxGraphBuilder
from workloads.onnx_files.graph_finish import finished_graph
from workloads.onnx_files.weight_sources import OnnxGraph


def chained(graph: OnnxGraph) -> list[str]:
    """Return the operators that take the results of a product as they are made."""
    return [
        each.name
        for each in graph.operators
        if isinstance(each, Vector) and each.chained
    ]


def builder_with_product() -> OnnxGraphBuilder:
    builder = OnnxGraphBuilder()
    builder.node = "it"
    x = builder.made("x", (2, 3), Role.INPUT)
    w = builder.constant("w", (3, 4), lambda: np.ones((3, 4)))
    builder.product(builder.tensor(x), builder.tensor(w), (2, 4))
    return builder


def test_what_follows_a_product_takes_its_results_as_they_are_made() -> None:
    builder = builder_with_product()
    other = builder.vector(VectorFunction.RELU, ("x",), (2, 3))
    made = builder.vector(VectorFunction.TANH, ("it.product",), (2, 4))
    graph = finished_graph(builder, {"y": made, "z": other})
    assert [each.name for each in graph.operators] == [
        "it.product",
        "it.tanh",
        "it.relu",
    ]
    assert chained(graph) == ["it.tanh"]


def test_results_that_others_read_too_go_to_memory_first() -> None:
    builder = builder_with_product()
    one = builder.vector(VectorFunction.TANH, ("it.product",), (2, 4))
    two = builder.vector(VectorFunction.RELU, ("it.product",), (2, 4))
    graph = finished_graph(builder, {"y": one, "z": two})
    assert chained(graph) == []


def test_functions_of_rows_are_not_chained() -> None:
    builder = builder_with_product()
    made = builder.vector(VectorFunction.SOFTMAX, ("it.product",), (2, 4))
    graph = finished_graph(builder, {"y": made})
    assert chained(graph) == []


def test_outputs_are_called_and_ordered_as_in_the_file() -> None:
    builder = OnnxGraphBuilder()
    builder.node = "it"
    x = builder.made("x", (2, 3), Role.INPUT)
    unread = builder.vector(VectorFunction.EXP, ("x",), (2, 3))
    made = builder.vector(VectorFunction.TANH, ("x",), (2, 3))
    results = {"y": made.transposed((1, 0)), "same": made, "again": made, "in": x}
    graph = finished_graph(builder, results)
    outputs = {t.name: t.shape for t in graph.tensors if t.role is Role.OUTPUT}
    assert outputs == {"y": "3 x 2", "same": "2 x 3", "again": "2 x 3", "in": "2 x 3"}
    assert unread.base not in {tensor.name for tensor in graph.tensors}
