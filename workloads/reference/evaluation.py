"""Reference evaluation of an operator graph in NumPy, on one processor, unsharded."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from specs.errors import SpecError
from specs.graph import Role
from specs.vector_functions import VectorFunction
from workloads.attributes import HeadNormAttributes, NormAttributes
from workloads.graph_attributes import MatrixProductAttributes, VectorAttributes
from workloads.operator_graph import OperatorGraph
from workloads.operators import Function, GraphOperator, GraphTensor, TokenRows
from workloads.reference.activations import Array
from workloads.reference.attention import (
    head_norm,
    head_scale,
    position,
    scores,
    softmax,
    values,
)
from workloads.reference.feed_forward_and_head import (
    activate,
    candidate,
    choose,
    router,
    sample,
)
from workloads.reference.graph_operators import (
    lookup_rows,
    matrix_product,
    paired_product,
    vector,
)
from workloads.reference.latent_attention import (
    latent_norm,
    latent_position,
    latent_scores,
    latent_values,
)
from workloads.reference.linear_attention import (
    convolve,
    decay,
    delta_rule,
    gated_norm,
    output_gate,
    unit_norm,
)
from workloads.reference.residual_stream import (
    add,
    add_tables,
    embed,
    norm_add,
    norm_scale,
    norm_weigh,
    product,
)

FunctionTable = Mapping[
    Function,
    Callable[[GraphOperator, Sequence[Array], TokenRows], tuple[Array, ...]],
]
FUNCTIONS: FunctionTable = {
    Function.EMBED: embed,
    Function.ADD_TABLES: add_tables,
    Function.NORM_WEIGH: norm_weigh,
    Function.NORM_SCALE: norm_scale,
    Function.NORM_ADD: norm_add,
    Function.PRODUCT: product,
    Function.HEAD_NORM: head_norm,
    Function.HEAD_SCALE: head_scale,
    Function.LATENT_NORM: latent_norm,
    Function.OUTPUT_GATE: output_gate,
    Function.CONVOLVE: convolve,
    Function.UNIT_NORM: unit_norm,
    Function.DECAY: decay,
    Function.DELTA_RULE: delta_rule,
    Function.GATED_NORM: gated_norm,
    Function.POSITION: position,
    Function.SCORES: scores,
    Function.SOFTMAX: softmax,
    Function.VALUES: values,
    Function.ADD: add,
    Function.ROUTER: router,
    Function.CHOOSE: choose,
    Function.ACTIVATE: activate,
    Function.CANDIDATE: candidate,
    Function.SAMPLE: sample,
    Function.MATRIX_PRODUCT: matrix_product,
    Function.PAIRED_PRODUCT: paired_product,
    Function.VECTOR: vector,
    Function.LOOKUP_ROWS: lookup_rows,
}
# Functions whose attributes have sizes of latent attention.
LATENT: FunctionTable = {
    Function.POSITION: latent_position,
    Function.SCORES: latent_scores,
    Function.VALUES: latent_values,
}
# How much the weights of a norm differ from 1 in random weights.
_NORM_SPREAD = 0.1
# Functions that read the weights of a norm, and which of their operands these are.
_NORM_WEIGHTS = {
    Function.NORM_WEIGH: (1,),
    Function.NORM_ADD: (2,),
    Function.HEAD_NORM: (2, 3),
    Function.GATED_NORM: (2,),
}
_NORMS = (VectorFunction.RMS_NORM, VectorFunction.LAYER_NORM)


def evaluate(
    graph: OperatorGraph,
    inputs: Mapping[str, Array],
    weights: Mapping[str, Array],
    state: Mapping[str, Array] | None = None,
    *,
    dtype: DTypeLike = np.float64,
) -> dict[str, Array]:
    """Return the values of all tensors of a workload's graph after one iteration.

    Parameters
    ----------
    graph
        The graph.
    inputs
        Values of the inputs by name: of a model ``tokens``, one number a row.
    weights
        Values of the weights by name, of the sizes in the graph.
    state
        Values of the KV cache before the iteration. A sequence has the last positions
        of its context in order; the rows of the positions that are computed are not
        read. Those of linear attention are as the last token left them. States may be
        left out if there is no earlier position.
    dtype
        Floating-point type of all arithmetic.

    Returns
    -------
    dict
        Values by name. Those of states are as they are after the iteration.

    Raises
    ------
    SpecError
        If a value is missing or of the wrong size, or a token is not in the vocabulary.
    """
    found: dict[str, Array] = {}
    for tensor in graph.tensors():
        if tensor.role is Role.WEIGHTS:
            found[tensor.name] = _value(tensor, weights).astype(dtype, copy=False)
        elif tensor.role is Role.INPUT:
            found[tensor.name] = _value(tensor, inputs)
        elif tensor.role is Role.STATE:
            found[tensor.name] = _state(tensor, state or {}, graph.rows).astype(dtype)
    for operator in graph.operators():
        operands = [found[name] for name in operator.inputs]
        if operator.function is Function.EMBED:
            _check_tokens(*operands)
        latent = getattr(operator.attributes, "latent", None) is not None
        function = (LATENT if latent else FUNCTIONS)[operator.function]
        results = function(operator, operands, graph.rows)
        states = [n for n in operator.inputs if graph.tensor(n).role is Role.STATE]
        for name, result in zip((*operator.outputs, *states), results, strict=True):
            tensor = graph.tensor(name)
            shape = (tensor.rows, tensor.columns)
            assert result.shape == shape, f"{name}: {result.shape}, not {shape}"
            found[name] = result
    return found


def random_weights(graph: OperatorGraph, seed: int) -> dict[str, Array]:
    """Return random weights of a workload's graph, in 64-bit floating point.

    The values of a tensor depend on the seed, its name and its size, and not on other
    tensors. Matrices have a standard deviation of one over the root of their inputs;
    weights of norms are near 1; copies are equal to what they are a copy of.

    Parameters
    ----------
    graph
        The graph.
    seed
        Seed of the random numbers.
    """
    near_one: set[str] = set()
    near_zero: set[str] = set()
    inner = {tensor.name: tensor.columns for tensor in graph.of_role(Role.WEIGHTS)}
    for operator in graph.operators():
        names = {operator.inputs[i] for i in _norm_weights(operator)}
        norm = operator.attributes
        if isinstance(norm, MatrixProductAttributes):
            name = operator.inputs[norm.left]
            inner[name] = graph.tensor(name).rows // norm.matrices
        offset = isinstance(norm, NormAttributes) and norm.unit_offset
        (near_zero if offset else near_one).update(names)
    drawn: dict[str, Array] = {}
    for tensor in graph.of_role(Role.WEIGHTS):
        name = tensor.copy_of or tensor.name
        normal = _generator(seed, name).standard_normal((tensor.rows, tensor.columns))
        if name in near_one:
            drawn[tensor.name] = 1 + _NORM_SPREAD * normal
        elif name in near_zero:
            drawn[tensor.name] = _NORM_SPREAD * normal
        else:
            drawn[tensor.name] = normal / sqrt(inner[tensor.name])
    return drawn


def _norm_weights(operator: GraphOperator) -> tuple[int, ...]:
    """Return which operands of an operator are the weights of a norm."""
    attributes = operator.attributes
    if operator.function is Function.LATENT_NORM:
        return tuple(range(len(operator.inputs) // 2, len(operator.inputs)))
    if isinstance(attributes, VectorAttributes):
        return (1,) if attributes.function in _NORMS else ()
    if isinstance(attributes, HeadNormAttributes) and not attributes.weighted:
        return ()
    return _NORM_WEIGHTS.get(operator.function, ())


def _generator(seed: int, name: str) -> np.random.Generator:
    """Return the random numbers of a tensor, whatever else is drawn."""
    digest = hashlib.sha256(name.encode()).digest()
    words = np.frombuffer(digest, dtype="<u4").tolist()
    return np.random.default_rng(np.random.SeedSequence([seed, *words]))


def _value(tensor: GraphTensor, given: Mapping[str, Any]) -> Array:
    """Return the given value of a tensor."""
    if tensor.name not in given:
        raise SpecError(f"{tensor.role} {tensor.name!r} is missing")
    value = np.asarray(given[tensor.name])
    shape = (tensor.rows, tensor.columns)
    if value.shape != shape:
        raise SpecError(
            f"{tensor.role} {tensor.name!r} is of shape {value.shape}, not {shape}"
        )
    return value


def _state(tensor: GraphTensor, given: Mapping[str, Any], rows: TokenRows) -> Array:
    """Return the given value of a state, or zeros if no old row of it is read."""
    begins = tensor.rows == rows.count or not rows.first_position
    if tensor.name not in given and begins:
        return np.zeros((tensor.rows, tensor.columns))
    return _value(tensor, given)


def _check_tokens(tokens: Array, table: Array) -> None:
    """Check that all tokens are in the vocabulary."""
    least, most = tokens.min(), tokens.max()
    if least < 0 or most >= table.shape[0]:
        wrong = least if least < 0 else most
        raise SpecError(f"token {wrong} is not in a vocabulary of {table.shape[0]}")
