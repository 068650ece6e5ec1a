"""Networks in ONNX, executed on chips: equal to what ONNX's own evaluator computes."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper, version_converter
from onnx.reference import ReferenceEvaluator

from compiler.compile_graph import compile_workload
from compiler.verify import verify
from experiments.execution.workload_execution import run_workload_execution
from sharding.parallelism.grid import Grid
from sharding.workloads.workload_planner import plan_workload
from specs.graph import Role
from specs.machine import load_machine
from topologies.selection import select_topology
from workloads.graphs.graph_of_workload import graph_of_workload
from workloads.graphs.workload import Workload
from workloads.onnx_files.model_reader import NODES
from workloads.onnx_files.onnx_graph import graph_of_model
from workloads.onnx_files.reading import shaped_model
from workloads.reference.evaluation import evaluate

Arrays = Mapping[str, NDArray[Any]]
LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
MACHINE, NODE = load_machine(), select_topology(8)
TOLERANCE = 1e-5
HEADS: dict[str, Any] = {"q_num_heads": 4, "kv_num_heads": 2}
node = helper.make_node


def model_of(
    nodes: list[onnx.NodeProto], inputs: Arrays, **weights: tuple[int, ...]
) -> onnx.ModelProto:
    """Return a model of nodes, the last of which makes y, with random weights."""
    random = np.random.default_rng(5)
    stored = [
        numpy_helper.from_array(
            (0.3 * random.standard_normal(shape)).astype(np.float32), name
        )
        for name, shape in weights.items()
    ]
    known = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
        )
        for name, array in inputs.items()
    ]
    made = [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "network", known, made, stored)
    versions = [helper.make_opsetid("", 23)]
    return helper.make_model(graph, opset_imports=versions)


def perceptron() -> tuple[onnx.ModelProto, Arrays]:
    """Return two layers and a softmax."""
    inputs = {"x": random_array(4, 12)}
    nodes = [
        node("Gemm", ["x", "w1", "b1"], ["a"]),
        node("Relu", ["a"], ["b"]),
        node("Gemm", ["b", "w2", "b2"], ["c"], transB=1),
        node("Softmax", ["c"], ["y"]),
    ]
    shapes = {"w1": (12, 24), "b1": (24,), "w2": (10, 24), "b2": (10,)}
    return model_of(nodes, inputs, **shapes), inputs


def attention_block() -> tuple[onnx.ModelProto, Arrays]:
    """Return an embedding, attention with two query heads a key head, and a layer."""
    inputs = {"ids": np.random.default_rng(2).integers(0, 11, (2, 5))}
    nodes = [
        node("Gather", ["table", "ids"], ["e"]),
        node("RMSNormalization", ["e", "g"], ["x"]),
        *(node("MatMul", ["x", f"w{each}"], [each]) for each in "qkv"),
        node("Attention", ["q", "k", "v"], ["o"], **HEADS, is_causal=1),
        node("MatMul", ["o", "wo"], ["p"]),
        node("Add", ["p", "e"], ["r"]),
        node("LayerNormalization", ["r", "g", "b"], ["l"]),
        node("MatMul", ["l", "up"], ["u"]),
        node("Gelu", ["u"], ["activated"]),
        node("MatMul", ["activated", "down"], ["d"]),
        node("Add", ["d", "r"], ["y"]),
    ]
    square = dict.fromkeys(("wq", "wo"), (16, 16)) | dict.fromkeys(
        ("wk", "wv"), (16, 8)
    )
    rows = {"table": (11, 16), "g": (16,), "b": (16,)}
    wide = {"up": (16, 32), "down": (32, 16)}
    return model_of(nodes, inputs, **square, **rows, **wide), inputs


def convolutions() -> tuple[onnx.ModelProto, Arrays]:
    """Return convolutions of all kinds, pools, a norm and a residual."""
    inputs = {"x": random_array(2, 3, 8, 8)}
    around: dict[str, Any] = {"pads": [1, 1, 1, 1]}
    nodes = [
        node("Conv", ["x", "w1", "b1"], ["a"], **around),
        node("Relu", ["a"], ["b"]),
        node("MaxPool", ["b"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", ["p", "w2"], ["c"], strides=[2, 2], **around),
        node("Mul", ["v", "v"], ["variance"]),
        node("BatchNormalization", ["c", "s", "v", "m", "variance"], ["d"]),
        node("Conv", ["d", "apart"], ["e"], group=12, **around),
        node("Conv", ["e", "groups"], ["f"], group=3),
        node("Add", ["f", "d"], ["r"]),
        node("GlobalAveragePool", ["r"], ["q"]),
        node("Flatten", ["q"], ["flat"]),
        node("Gemm", ["flat", "w3", "b3"], ["y"]),
    ]
    rows = {"b1": (8,), "b3": (5,)} | dict.fromkeys(("s", "m", "v"), (12,))
    whole = {"w1": (8, 3, 3, 3), "w2": (12, 8, 3, 3), "w3": (12, 5)}
    parts = {"apart": (12, 1, 3, 3), "groups": (12, 4, 1, 1)}
    return model_of(nodes, inputs, **rows, **whole, **parts), inputs


def residual_layers() -> tuple[onnx.ModelProto, Arrays]:
    """Return layers that each add to what they read, and a shape that is computed."""
    inputs = {"x": random_array(2, 3, 8)}
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("MatMul", ["x", "w1"], ["a"]),
        node("Add", ["a", "x"], ["b"]),
        node("Transpose", ["b"], ["t"], perm=[0, 2, 1]),
        node("MatMul", ["t", "w2"], ["c"]),
        node("Tanh", ["c"], ["d"]),
        node("Transpose", ["d"], ["u"], perm=[0, 2, 1]),
        node("Reshape", ["u", "shape"], ["f"]),
        node("Concat", ["f", "b"], ["g"], axis=-1),
        node("MatMul", ["g", "w3"], ["h"]),
        node("Sub", ["h", "b"], ["y"]),
    ]
    shapes = {"w1": (8, 8), "w2": (3, 3), "w3": (16, 8)}
    return model_of(nodes, inputs, **shapes), inputs


def random_array(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(3).standard_normal(shape).astype(np.float32)


def shipped(
    name: str, side: int, nodes: int | None = None
) -> tuple[onnx.ModelProto, Arrays]:
    """Return a network that the package onnx has, with random weights.

    Its weights are all alike, which would hide that some are in the wrong place. The
    picture has `side` rows and columns, and the network its first `nodes` nodes.
    """
    model = onnx.load_model(LIGHT / f"light_{name}.onnx")
    graph = model.graph
    stored = {each.name: each for each in graph.initializer}
    random = np.random.default_rng(4)
    kept = []
    for each in graph.node:
        if each.op_type != "ConstantOfShape":
            kept.append(each)
            continue
        shape = numpy_helper.to_array(stored[each.input[0]])
        made = random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]) or 1)
        # Variances are positive, and so is all else that is a row.
        made = 1 + abs(made) / 4 if len(shape) == 1 else made
        array = made.astype(np.float32)
        graph.initializer.append(numpy_helper.from_array(array, each.output[0]))
    del graph.node[:]
    graph.node.extend(kept[:nodes])
    names = {each.name for each in graph.initializer}
    (given,) = [each for each in graph.input if each.name not in names]
    for dim in given.type.tensor_type.shape.dim[2:]:
        dim.dim_value = side
    del graph.value_info[:]
    del graph.output[:]
    (output,) = graph.node[-1].output[:1]
    graph.output.append(
        helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)
    )
    # Weights need not be inputs from here on.
    model.ir_version = 4
    del graph.input[:]
    graph.input.append(given)
    # The evaluator takes norms of version 9 to be training, and a softmax to be new.
    newer = version_converter.convert_version(model, 15)
    return newer, {given.name: random_array(1, 3, side, side)}


NETWORKS: dict[str, Callable[[], tuple[onnx.ModelProto, Arrays]]] = {
    "perceptron": perceptron,
    "attention": attention_block,
    "convolutions": convolutions,
    "residual": residual_layers,
    "squeezenet": lambda: shipped("squeezenet", 35),
    "densenet121": lambda: shipped("densenet121", 32, 30),
}


@pytest.mark.parametrize(
    ("name", "grid"),
    [
        ("perceptron", Grid(column=2, row=2)),
        ("attention", Grid(column=1, row=1)),
        ("attention", Grid(column=2, row=2)),
        ("attention", Grid(column=2, row=1, pipeline=3)),
        ("convolutions", Grid(column=2, row=2)),
        ("convolutions", Grid(column=1, row=2, pipeline=4)),
        ("residual", Grid(column=3, row=1)),
        ("squeezenet", Grid(column=2, row=1)),
        ("densenet121", Grid(column=1, row=1)),
    ],
)
def test_a_network_on_chips_is_what_onnx_computes(name: str, grid: Grid) -> None:
    model, inputs = NETWORKS[name]()
    wanted = ReferenceEvaluator(model).run(None, dict(inputs))
    graph = graph_of_model(shaped_model(model, name, {}, tuple(NODES)), name)
    workload = Workload(name, graph.tensors, graph.operators)
    weights = graph.arrays()
    given = {
        tensor.name: inputs[tensor.name].reshape(-1, tensor.columns)
        for tensor in graph.tensors
        if tensor.role is Role.INPUT
    }
    found = evaluate(graph_of_workload(workload).graph, given, weights)
    for output, array in zip(model.graph.output, wanted, strict=True):
        largest = float(np.abs(array).max())
        made = found[output.name].reshape(array.shape)
        assert float(np.abs(made - array).max()) <= TOLERANCE * largest
        assert float(np.std(array)) > 0
    chips = NODE.active.astype(np.int64)
    plan = plan_workload(workload, MACHINE, grid, chips)
    schedule = compile_workload(plan, NODE)
    verify(schedule.program, NODE, MACHINE, plan=plan)
    execution = run_workload_execution(
        plan, schedule.program, weights=weights, inputs=given
    )
    assert execution.agrees(TOLERANCE)


def test_samples_of_a_batch_are_computed_as_each_alone() -> None:
    inputs = {"x": random_array(1, 3, 5, 5)}
    pool: dict[str, Any] = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [
        node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
        # Places of the edge have fewer neighbours, and each has a number of its own.
        node("AveragePool", ["a"], ["b"], **pool),
        node("Add", ["b", "places"], ["y"]),
    ]
    model = model_of(nodes, inputs, w=(4, 3, 3, 3), places=(5, 5))
    graph = graph_of_model(shaped_model(model, "it", {}, tuple(NODES)), "it")
    alone = Workload("it", graph.tensors, graph.operators)
    samples = [random_array(1, 3, 5, 5), 2 - random_array(1, 3, 5, 5)]
    wanted = [
        np.ravel(output)
        for each in samples
        for output in ReferenceEvaluator(model).run(None, {"x": each})
    ]
    given = {"x": np.vstack([each.reshape(15, 5) for each in samples])}
    chips = NODE.active.astype(np.int64)
    plan = plan_workload(alone.batched(2), MACHINE, Grid(column=2, row=1), chips)
    schedule = compile_workload(plan, NODE)
    weights = graph.arrays()
    found = evaluate(plan.graph.graph, given, weights)["y"].ravel()
    np.testing.assert_allclose(found, np.hstack(wanted), atol=1e-5)
    execution = run_workload_execution(
        plan, schedule.program, weights=weights, inputs=given
    )
    assert execution.agrees(TOLERANCE)
