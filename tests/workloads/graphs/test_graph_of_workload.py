import numpy as np
import pytest

from specs.errors import SpecError
from specs.graph import Lookup, Matmul, Role, Tensor, Vector
from specs.vector_functions import VectorFunction
from workloads.graphs.graph_of_workload import graph_of_workload
from workloads.graphs.workload import Workload, load_workload
from workloads.reference.evaluation import evaluate

RANDOM = np.random.default_rng(5)


def normal(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape)


def test_a_product_takes_rows_of_weights_as_inputs() -> None:
    a, b = normal(2, 3), normal(3, 4)
    graph, states = graph_of_workload(load_workload("gemm:2x3x4"))
    assert not states
    found = evaluate(graph, {"a": a}, {"b": b})
    np.testing.assert_allclose(found["c"], a @ b)


def test_a_step_of_an_lstm_reads_its_states_and_leaves_others() -> None:
    x, h, cell, w = normal(1, 3), normal(1, 3), normal(1, 3), normal(6, 12)
    graph, states = graph_of_workload(load_workload("lstm:3"))
    assert states == {"h": "h'", "cell": "cell'"}
    found = evaluate(graph, {"x": x, "h": h, "cell": cell}, {"w": w})
    into, forget, out, new = np.split(np.hstack([x, h]) @ w, 4, axis=1)

    def gate(values: np.ndarray) -> np.ndarray:
        return np.asarray(1 / (1 + np.exp(-values)))

    made = gate(forget) * cell + gate(into) * np.tanh(new)
    np.testing.assert_allclose(found["cell'"], made)
    np.testing.assert_allclose(found["h'"], gate(out) * np.tanh(made))
    np.testing.assert_array_equal(found["cell"], cell)


def test_each_sample_of_a_batch_is_computed_like_one() -> None:
    one, three = load_workload("mlp"), load_workload("mlp").batched(3)
    weights = {
        tensor.name: normal(tensor.rows, tensor.columns) / 30
        for tensor in one.tensors
        if tensor.role is Role.WEIGHTS
    }
    x = normal(48, 1024)
    together = evaluate(graph_of_workload(three).graph, {"x": x}, weights)["y"]
    alone = evaluate(graph_of_workload(one).graph, {"x": x[16:32]}, weights)["y"]
    np.testing.assert_allclose(together[16:32], alone)


def test_rows_are_multiplied_with_the_matrices_that_they_choose() -> None:
    workload = Workload(
        "experts",
        (
            Tensor(name="x", role=Role.INPUT, rows=2, columns=3),
            Tensor(name="choice", role=Role.INPUT, rows=2, columns=2),
            Tensor(name="w", role=Role.WEIGHTS, rows=3, columns=4, matrices=3),
            Tensor(name="y", role=Role.OUTPUT, rows=4, columns=4),
        ),
        (
            Matmul(
                name="p",
                left=("x",),
                right="w",
                output="y",
                chosen=2,
                choice="choice",
            ),
        ),
    )
    x, w = normal(2, 3), normal(3, 3, 4)
    choice = np.array([[2, 0], [1, 2]])
    inputs = {"x": x, "choice": choice}
    found = evaluate(graph_of_workload(workload).graph, inputs, {"w": w.reshape(9, 4)})
    np.testing.assert_allclose(
        found["y"], [x[0] @ w[2], x[0] @ w[0], x[1] @ w[1], x[1] @ w[2]]
    )


def test_pairs_are_multiplied_and_rows_are_looked_up() -> None:
    workload = Workload(
        "pairs",
        (
            Tensor(name="at", role=Role.INPUT, rows=4, columns=1),
            Tensor(name="table", role=Role.WEIGHTS, rows=5, columns=3),
            Tensor(name="q", rows=2, columns=3, matrices=2),
            Tensor(name="k", role=Role.INPUT, rows=3, columns=2, matrices=2),
            Tensor(name="s", rows=2, columns=2, matrices=2),
            Tensor(name="y", role=Role.OUTPUT, rows=2, columns=2, matrices=2),
        ),
        (
            Lookup(name="find", tables=("table",), index=("at",), output="q"),
            Matmul(name="scores", left=("q",), right="k", output="s"),
            Vector(
                name="shares",
                inputs=("s",),
                outputs=("y",),
                function=VectorFunction.SOFTMAX,
            ),
        ),
    )
    table, k = normal(5, 3), normal(2, 3, 2)
    at = np.array([[3], [0], [4], [1]])
    found = evaluate(
        graph_of_workload(workload).graph,
        {"at": at, "k": k.reshape(6, 2)},
        {"table": table},
    )
    raised = np.exp(np.vstack([table[[3, 0]] @ k[0], table[[4, 1]] @ k[1]]))
    shares = raised / raised.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found["y"], shares)


def test_an_operator_that_does_not_say_what_it_computes_is_not_evaluated() -> None:
    workload = load_workload("mlp")
    opaque = Workload(
        "opaque",
        workload.tensors,
        tuple(
            each.model_copy(update={"function": None})
            if isinstance(each, Vector)
            else each
            for each in workload.operators
        ),
    )
    weights = {
        tensor.name: normal(tensor.rows, tensor.columns)
        for tensor in workload.tensors
        if tensor.role is Role.WEIGHTS
    }
    with pytest.raises(SpecError, match=r"norm does not say what it computes; give it"):
        evaluate(graph_of_workload(opaque).graph, {"x": normal(16, 1024)}, weights)
