"""ONNX graphs of a few nodes, evaluated as a workload and by ONNX's own evaluator."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from specs.graph import Role
from workloads.graphs.graph_of_workload import graph_of_workload
from workloads.graphs.workload import Workload
from workloads.onnx_files.model_reader import NODES
from workloads.onnx_files.onnx_graph import graph_of_model
from workloads.onnx_files.reading import shaped_model
from workloads.onnx_files.weight_sources import OnnxGraph
from workloads.reference.evaluation import evaluate

Array = NDArray[Any]
Arrays = Mapping[str, Array]
TOLERANCE = 1e-5


def made_model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Arrays,
    constants: Arrays,
    outputs: Sequence[str],
    version: int = 23,
) -> onnx.ModelProto:
    """Return a model of nodes, whose inputs have the shapes of some arrays."""
    known = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
        )
        for name, array in inputs.items()
    ]
    made = [
        helper.make_tensor_value_info(name, onnx.TensorProto.UNDEFINED, None)
        for name in outputs
    ]
    stored = [numpy_helper.from_array(a, name) for name, a in constants.items()]
    graph = helper.make_graph(nodes, "graph", known, made, stored)
    versions = [helper.make_opsetid("", version)]
    return helper.make_model(graph, opset_imports=versions)


def read_graph(model: onnx.ModelProto, **sizes: int) -> OnnxGraph:
    """Return the graph of a model that a test has made."""
    return graph_of_model(shaped_model(model, "it", sizes, tuple(NODES)), "it")


def evaluated(read: OnnxGraph, inputs: Arrays) -> dict[str, Array]:
    """Return the results of a graph, matrices below each other."""
    workload = Workload("it", read.tensors, read.operators)
    given = {
        tensor.name: inputs[tensor.name].reshape(-1, tensor.columns)
        for tensor in read.tensors
        if tensor.role is Role.INPUT
    }
    return evaluate(graph_of_workload(workload).graph, given, read.arrays())


def compared_model(model: onnx.ModelProto, inputs: Arrays) -> OnnxGraph:
    """Return the graph of a model, whose results must be those of ONNX's evaluator."""
    wanted = ReferenceEvaluator(model).run(None, dict(inputs))
    read = read_graph(model)
    found = evaluated(read, inputs)
    for output, array in zip(model.graph.output, wanted, strict=True):
        largest = float(np.abs(array).max()) or 1.0
        np.testing.assert_allclose(
            found[output.name].reshape(array.shape), array, atol=TOLERANCE * largest
        )
    return read


@pytest.fixture
def make() -> Callable[..., onnx.ModelProto]:
    return made_model


@pytest.fixture
def read() -> Callable[..., OnnxGraph]:
    return read_graph


@pytest.fixture
def compared() -> Callable[..., OnnxGraph]:
    """Return what compares a node of random operands, given by their shapes."""

    def compare(
        kind: str,
        shapes: Sequence[tuple[int, ...]],
        *numbers: Array,
        given: int = 1,
        outputs: int = 1,
        version: int = 23,
        positive: bool = False,
        **attributes: Any,
    ) -> OnnxGraph:
        random = np.random.default_rng(len(shapes))
        arrays = [random.standard_normal(s).astype(np.float32) for s in shapes]
        arrays = [abs(each) + 0.5 for each in arrays] if positive else arrays
        arrays += numbers
        named = {f"v{place}": array for place, array in enumerate(arrays)}
        inputs = dict(list(named.items())[:given])
        constants = dict(list(named.items())[given:])
        results = [f"y{place}" for place in range(outputs)]
        node = helper.make_node(kind, list(named), results, name="it", **attributes)
        model = made_model([node], inputs, constants, results, version)
        return compared_model(model, inputs)

    return compare


@pytest.fixture
def compared_whole() -> Callable[[onnx.ModelProto, Arrays], OnnxGraph]:
    return compared_model


@pytest.fixture
def found() -> Callable[[onnx.ModelProto, Arrays], dict[str, Array]]:
    return lambda model, inputs: evaluated(read_graph(model), inputs)
