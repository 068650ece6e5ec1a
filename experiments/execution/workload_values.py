"""Settings, weights and inputs of a workload as the functional engine takes them."""

import hashlib
from collections.abc import Mapping

import numpy as np

from fabric.functional_engine.graph_settings import GraphSettings, ValueShape
from fabric.functional_engine.memory import Array
from fabric.functional_engine.settings import OperatorSettings
from sharding.workloads.workload_plan import WorkloadPlan
from sharding.workloads.workload_regions import matrix_names
from specs.graph import Lookup, Matmul, Role
from specs.onnx_names import is_onnx
from specs.vector_functions import FACTS
from workloads.graph_attributes import (
    MatrixProductAttributes,
    PairedProductAttributes,
    VectorAttributes,
)
from workloads.onnx_files.onnx_graph import load_onnx
from workloads.operators import GraphOperator
from workloads.reference.vector_functions import vector_kernel


def graph_settings(plan: WorkloadPlan) -> dict[str, OperatorSettings]:
    """Return the settings of a workload's operators by name."""
    graph = plan.graph.graph
    shapes = {
        name: ValueShape(graph.tensor(name).rows, graph.tensor(name).columns, numbering)
        for name, numbering in plan.numberings.items()
    }
    return {
        operator.name: OperatorSettings(graph=_settings(operator, shapes))
        for operator in plan.operators
    }


def _settings(
    operator: GraphOperator, shapes: Mapping[str, ValueShape]
) -> GraphSettings:
    """Return the settings of one operator."""
    attributes, inputs = operator.attributes, operator.inputs
    if isinstance(attributes, MatrixProductAttributes):
        return GraphSettings(
            inputs=inputs,
            shapes=shapes,
            left=attributes.left,
            chosen=attributes.chosen,
            blocks=shapes[operator.outputs[0]].numbering.blocks,
        )
    if isinstance(attributes, PairedProductAttributes):
        return GraphSettings(inputs=inputs, shapes=shapes, matrices=attributes.matrices)
    if not isinstance(attributes, VectorAttributes) or attributes.function is None:
        return GraphSettings(inputs=inputs, shapes=shapes)
    facts = FACTS[attributes.function]
    return GraphSettings(
        inputs=inputs,
        shapes=shapes,
        kernel=vector_kernel(attributes),
        in_place=facts.in_place,
        blocks=facts.blocks,
    )


def engine_weights(
    plan: WorkloadPlan, weights: Mapping[str, Array]
) -> dict[str, Array]:
    """Return weights as chips store them: one for each matrix, columns in their order.

    Parameters
    ----------
    plan
        The plan.
    weights
        Weights by the names of the workload, matrices below each other.
    """
    stored = {}
    for tensor in plan.workload.tensors:
        if tensor.role is not Role.WEIGHTS:
            continue
        matrices = weights[tensor.name].reshape(tensor.matrices, tensor.rows, -1)
        blocks = plan.blocks.get(tensor.name, 1)
        # Column i of each block is beside column i of the others.
        order = np.arange(tensor.columns).reshape(blocks, -1).T.reshape(-1)
        for name, matrix in zip(matrix_names(tensor), matrices, strict=True):
            stored[name] = matrix[:, order]
    return stored


def own_weights(name: str) -> dict[str, Array] | None:
    """Return the weights of a workload that has some of its own: of an ONNX file.

    Raises
    ------
    SpecError
        If they are in another file.
    """
    return load_onnx(name).arrays() if is_onnx(name) else None


def random_inputs(plan: WorkloadPlan, seed: int, iteration: int) -> dict[str, Array]:
    """Return random inputs of an iteration, and states before the first.

    Numbers of rows or matrices, which operators look up or choose, are within what
    there is; those that a row chooses are different.
    """
    workload = plan.workload
    rows: dict[str, tuple[int, int]] = {}
    for operator in workload.operators:
        if isinstance(operator, Lookup):
            for table, name in zip(operator.tables, operator.index, strict=False):
                rows[name] = (workload.by_name[table].rows, 1)
        elif isinstance(operator, Matmul) and operator.choice and operator.chosen:
            matrices = workload.by_name[operator.right].matrices
            rows[operator.choice] = (matrices, operator.chosen)
    drawn: dict[str, Array] = {}
    for tensor in workload.tensors:
        if tensor.role not in (Role.INPUT, Role.STATE):
            continue
        random = _generator(seed, iteration, tensor.name)
        shape = (tensor.matrices * tensor.rows, tensor.columns)
        if tensor.name not in rows:
            drawn[tensor.name] = random.standard_normal(shape)
            continue
        most, together = rows[tensor.name]
        count = tensor.elements // together
        numbers = np.argsort(random.random((count, most)), axis=1)[:, :together]
        drawn[tensor.name] = numbers.reshape(shape)
    return drawn


def _generator(seed: int, iteration: int, name: str) -> np.random.Generator:
    """Return the random numbers of a tensor, whatever else is drawn."""
    digest = hashlib.sha256(name.encode()).digest()
    words = np.frombuffer(digest, dtype="<u4").tolist()
    return np.random.default_rng(np.random.SeedSequence([seed, iteration, *words]))
