import numpy as np

from specs.graph import Role, Vector
from specs.vector_functions import VectorFunction
from workloads.onnx_files.graph_builder import OnnxGraphBuilder


def test_a_tensor_that_has_the_elements_in_order_is_taken_as_it_is() -> None:
    builder = OnnxGraphBuilder()
    x = builder.made("x", (2, 3, 4), Role.INPUT)
    assert builder.tensor(x) == "x"
    assert builder.tensor(x, columns=4) == "x"
    assert builder.operators == []


def test_elements_are_moved_once_into_the_order_that_is_asked_for() -> None:
    builder = OnnxGraphBuilder()
    builder.node = "it"
    x = builder.made("x", (2, 3, 4), Role.INPUT)
    turned = x.transposed((1, 0, 2))
    names = {builder.tensor(turned) for _ in range(3)}
    assert names == {"it.moved"}
    (moved,) = builder.operators
    assert isinstance(moved, Vector)
    assert [(loop.size, loop.stride) for loop in moved.views[0].loops] == [
        (3, 4),
        (2, 12),
        (4, 1),
    ]
    assert builder.tensor(turned, dims=(1, 6, 4)) == "it.moved.2"


def test_a_constant_takes_memory_only_where_it_is_read() -> None:
    builder = OnnxGraphBuilder()
    w = builder.constant("w", (2, 3), lambda: np.arange(6.0).reshape(2, 3))
    assert builder.tensors == {}
    assert builder.tensor(w.transposed((1, 0))) == "w"
    assert builder.tensors["w"].role is Role.WEIGHTS
    assert builder.weights["w"].array().tolist() == [[0, 3], [1, 4], [2, 5]]


def test_a_row_of_weights_goes_with_all_rows() -> None:
    builder = OnnxGraphBuilder()
    builder.node = "it"
    x = builder.made("x", (2, 3, 4), Role.INPUT)
    row = builder.constant("row", (4,), lambda: np.arange(4.0))
    column = builder.constant("column", (3, 1), lambda: np.arange(3.0))
    builder.elementwise(VectorFunction.ADD, x, row)
    builder.elementwise(VectorFunction.ADD, x, column)
    builder.elementwise(VectorFunction.ADD, x, builder.scalar(2))
    assert builder.tensors["row"].shape == "1 x 4"
    # Three rows of a column each, for each of two samples.
    assert builder.tensors["column"].shape == "3 x 4"
    assert builder.tensors["number 2"].elements == 1


def test_an_operator_of_two_orders_keeps_that_of_the_first() -> None:
    builder = OnnxGraphBuilder()
    builder.node = "it"
    x = builder.made("x", (2, 3), Role.INPUT).transposed((1, 0))
    y = builder.made("y", (3, 2), Role.INPUT)
    total = builder.elementwise(VectorFunction.ADD, x, y)
    assert total.shape == (3, 2)
    assert total.order == (1, 0)
    assert [each.name for each in builder.operators] == ["it.moved", "it.add"]


def test_constants_that_follow_from_others_are_computed_before_it_runs() -> None:
    builder = OnnxGraphBuilder()
    builder.node = "it"
    w = builder.constant("w", (2,), lambda: np.array([1.0, 2.0]))
    twice = builder.derived("twice", lambda array: 2 * array, w)
    joined = builder.derived_as("all", (4,), lambda *a: np.hstack(a), w, twice)
    assert builder.operators == []
    name = builder.tensor(joined)
    assert builder.weights[name].array().tolist() == [[1, 2, 2, 4]]


def test_each_operator_makes_the_tensor_that_it_is_called_after() -> None:
    builder = OnnxGraphBuilder()
    builder.node = "it"
    x = builder.made("x", (2, 3), Role.INPUT)
    builder.vector(VectorFunction.RELU, ("x",), (2, 3))
    builder.product("x", "x", (2, 2))
    builder.looked_up("x", "x", (2, 3))
    builder.rearranged("part", [("x", x.view())], (6,))
    names = [each.name for each in builder.operators]
    assert names == ["it.relu", "it.product", "it.rows", "it.part"]
    assert set(names) < set(builder.tensors)
