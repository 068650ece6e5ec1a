"""Norms and softmax of ONNX graphs."""

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from specs.element_view import Axis, Loop, View
from specs.vector_functions import VectorFunction as V
from workloads.onnx_files.nodes.node import Node, filled, reshaped
from workloads.onnx_files.values import Value, inverse

# Sets of operators before this one flatten a softmax's operand to a matrix.
_SOFTMAX_OF_AN_AXIS = 13


def softmax(node: Node, value: Value, axis: int) -> Value:
    """Return the softmax of an ONNX value along an axis."""
    order = value.order_with_last(axis)
    moved = value.transposed(order)
    rows = node.builder.tensor(moved, columns=moved.shape[-1])
    made = _of_rows(node, V.SOFTMAX, (rows,), moved.shape)
    return made.transposed(inverse(order))


def _of_rows(
    node: Node,
    function: V,
    inputs: Sequence[str],
    shape: Sequence[int],
    epsilon: float | None = None,
) -> Value:
    """Return a function of whole rows, as many as its first operand has."""
    columns = node.builder.tensors[inputs[0]].columns
    dims = (1, prod(shape) // columns, columns)
    return node.builder.vector(function, inputs, shape, epsilon, dims)


def _softmax(node: Node) -> Value:
    value = node.value(0)
    old = node.version < _SOFTMAX_OF_AN_AXIS
    axis = node.attributes.get("axis", 1 if old else -1) % max(1, len(value.shape))
    if old:
        matrix = (prod(value.shape[:axis]), prod(value.shape[axis:]))
        made = softmax(node, _squeezed(node, value, matrix), -1)
        made = reshaped(node, made, value.shape)
    else:
        made = softmax(node, value, axis)
    if node.kind == "LogSoftmax":
        return node.builder.elementwise(V.LOG, made)
    return made


def _squeezed(node: Node, value: Value, shape: Sequence[int]) -> Value:
    """Return a value as a matrix, its elements moved only if they must be."""
    return reshaped(node, value, shape)


def _row_norm(node: Node) -> Value:
    node.only_first()
    value, epsilon = node.value(0), node.attributes.get("epsilon", 1e-5)
    axis = node.attributes.get("axis", -1) % len(value.shape)
    normed = value.shape[axis:]
    order = value.order_with_last(*range(axis, len(value.shape)))
    moved = value.transposed(order)
    rows = node.builder.tensor(moved, columns=prod(normed))
    weights = [node.value(1)]
    function = V.RMS_NORM
    if node.kind == "LayerNormalization":
        function = V.LAYER_NORM
        bias = node.value(2) if node.has(2) else filled(node, normed, 0.0)
        weights.append(bias)
    inputs = [rows]
    for each in weights:
        cells = np.broadcast_to(each.cells, normed)
        inputs.append(node.builder.tensor(each.of(cells), dims=(1, 1, prod(normed))))
    made = _of_rows(node, function, inputs, moved.shape, epsilon)
    return made.transposed(inverse(order))


def _batch_norm(node: Node) -> Value:
    node.only_first()
    if node.attributes.get("training_mode", 0):
        raise node.refuse("normalises in training")
    value, epsilon = node.value(0), node.attributes.get("epsilon", 1e-5)
    scale, bias, mean, variance = (node.value(place) for place in range(1, 5))
    if not all(each.constant for each in (scale, bias, mean, variance)):
        raise node.refuse("normalises with numbers that are not constant")
    # What follows from constants is computed before the graph runs.
    factor = node.builder.derived(
        "factor", lambda s, v: s / np.sqrt(v + epsilon), scale, variance
    )
    shift = node.builder.derived(
        "shift",
        lambda b, m, s, v: b - m * s / np.sqrt(v + epsilon),
        *(bias, mean, scale, variance),
    )
    made = value
    for function, constant in ((V.MULTIPLY, factor), (V.ADD, shift)):
        cells = constant.cells.reshape(1, -1, *(1 for _ in value.shape[2:]))
        made = node.builder.elementwise(function, made, constant.of(cells))
    return made


def _channel_norm(node: Node) -> Value:
    """Return each channel of each sample less its mean, by its deviation, scaled."""
    value, epsilon = node.value(0), node.attributes.get("epsilon", 1e-5)
    columns = prod(value.shape[2:])
    rows = node.builder.tensor(value, columns=columns)
    plain = [
        node.builder.tensor(filled(node, (columns,), number), dims=(1, 1, columns))
        for number in (1.0, 0.0)
    ]
    made = _of_rows(node, V.LAYER_NORM, (rows, *plain), value.shape, epsilon)
    for place, function in ((1, V.MULTIPLY), (2, V.ADD)):
        own = node.value(place)
        cells = own.cells.reshape(1, -1, *(1 for _ in value.shape[2:]))
        made = node.builder.elementwise(function, made, own.of(cells))
    return made


def _local_response(node: Node) -> Value:
    """Return elements by a power of the squares of the channels beside them."""
    builder, value, of = node.builder, node.value(0), node.attributes
    size = of["size"]
    square = builder.elementwise(V.MULTIPLY, value, value)
    order = square.order
    loops: list[Loop] = []
    for dim in order:
        stride = square.cells.strides[dim]
        if dim == 1:
            loops.append(Loop(size=square.shape[1], stride=1, axis=0))
        else:
            loops.append(Loop(size=square.shape[dim], stride=stride))
    loops.append(Loop(size=size, stride=1, axis=0))
    channels = Axis(
        size=square.shape[1],
        stride=square.cells.strides[1],
        start=-((size - 1) // 2),
    )
    view = View(loops=tuple(loops), start=square.start, axes=(channels,))
    own = tuple(square.shape[dim] for dim in order)
    taken = builder.rearranged("beside", [(square.base, view)], (prod(own), size))
    total = builder.vector(V.REDUCE_SUM, (taken.base,), own).transposed(inverse(order))
    share = builder.scalar(of.get("alpha", 1e-4) / size)
    made = builder.elementwise(V.MULTIPLY, total, share)
    made = builder.elementwise(V.ADD, made, builder.scalar(of.get("bias", 1.0)))
    made = builder.elementwise(V.POWER, made, builder.scalar(of.get("beta", 0.75)))
    return builder.elementwise(V.DIVIDE, value, made)


NORM_NODES: dict[str, Callable[[Node], Value]] = {
    **dict.fromkeys(("Softmax", "LogSoftmax"), _softmax),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization"), _row_norm),
    "BatchNormalization": _batch_norm,
    "InstanceNormalization": _channel_norm,
    "LRN": _local_response,
}
