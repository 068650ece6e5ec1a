"""Pools and reductions of ONNX graphs: one number for each window or piece."""

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from specs.element_view import Loop
from specs.vector_functions import VectorFunction as V
from workloads.onnx_files.nodes.node import Node
from workloads.onnx_files.nodes.windows import Windows, window_view, windows_of
from workloads.onnx_files.values import Value, inverse

# The least number in FP16, for places beyond an edge in the largest of a window.
LEAST = -65504.0
_REDUCTIONS = {"ReduceMax": V.REDUCE_MAX, "ReduceMean": V.REDUCE_MEAN}
_REDUCTIONS |= {"ReduceSum": V.REDUCE_SUM, "ReduceSumSquare": V.REDUCE_SUM}


def reduced(node: Node, value: Value, axes: Sequence[int], function: V) -> Value:
    """Return an ONNX value reduced over some axes, which the result does not have."""
    rank = len(value.shape)
    dropped = sorted(axis % rank for axis in axes)
    order = value.order_with_last(*dropped)
    kept = order[: rank - len(dropped)]
    piece = prod(value.shape[axis] for axis in dropped)
    moved = value.transposed(order)
    shape = tuple(value.shape[dim] for dim in kept)
    if piece == 1:
        return moved.of(moved.cells.reshape(shape)).transposed(_ranks(kept))
    known = node.builder.tensors.get(moved.base)
    fits = known is not None and moved.in_order and known.columns % piece == 0
    whole = node.builder.tensor(moved, columns=None if fits else piece)
    made = node.builder.vector(function, (whole,), shape)
    return made.transposed(_ranks(kept))


def _ranks(kept: Sequence[int]) -> tuple[int, ...]:
    """Return the order that sorts the dimensions that are left."""
    return tuple(np.argsort(kept).astype(int).tolist())


def _with_ones(value: Value, shape: Sequence[int]) -> Value:
    """Return a value with dimensions of one place where they were dropped."""
    return value.of(value.cells.reshape(shape))


def _reduce(node: Node) -> Value:
    value = node.value(0)
    axes = node.attributes.get("axes")
    if axes is None and (given := node.optional_numbers(1)) is not None:
        axes = given.tolist()
    if not axes:
        if node.attributes.get("noop_with_empty_axes", 0):
            return value
        axes = range(len(value.shape))
    if node.kind == "ReduceSumSquare":
        value = node.builder.elementwise(V.MULTIPLY, value, value)
    made = reduced(node, value, axes, _REDUCTIONS[node.kind])
    return _with_ones(made, node.shape)


def _global_pool(node: Node) -> Value:
    value = node.value(0)
    largest = node.kind == "GlobalMaxPool"
    function = V.REDUCE_MAX if largest else V.REDUCE_MEAN
    made = reduced(node, value, range(2, len(value.shape)), function)
    return _with_ones(made, node.shape)


def _windows(node: Node) -> Windows:
    value = node.value(0)
    kernel = node.attributes["kernel_shape"]
    return windows_of(node.attributes, value.shape[2:], kernel, node.shape[2:])


def _pooled(node: Node, windows: Windows, function: V, fill: float) -> Value:
    """Return what a function makes of each window of each channel."""
    value = node.value(0)
    if value.constant:
        raise node.refuse("pools a constant")
    batch, channels = value.shape[:2]
    loop = Loop(size=channels, stride=value.cells.strides[1])
    view = window_view(value, windows, (loop,), channels_first=True, fill=fill)
    places = prod(windows.kernel)
    shape = (batch * prod(windows.outputs) * channels, places)
    taken = node.builder.rearranged("windows", [(value.base, view)], shape)
    own = (batch, *windows.outputs, channels)
    made = node.builder.vector(function, (taken.base,), own)
    spatial = tuple(range(2, 2 + len(windows.outputs)))
    return made.transposed(inverse((0, *spatial, 1)))


def _max_pool(node: Node) -> Value:
    node.only_first()
    return _pooled(node, _windows(node), V.REDUCE_MAX, LEAST)


def _average_pool(node: Node) -> Value:
    windows = _windows(node)
    padded = bool(node.attributes.get("count_include_pad", 0))
    counts = windows.counts(node.value(0).shape[2:], padded=padded)
    if (counts == prod(windows.kernel)).all():
        return _pooled(node, windows, V.REDUCE_MEAN, 0.0)
    total = _pooled(node, windows, V.REDUCE_SUM, 0.0)
    shares = node.builder.constant(
        f"{node.name}.shares", (1, 1, *windows.outputs), lambda: 1 / counts
    )
    return node.builder.elementwise(V.MULTIPLY, total, shares)


REDUCTION_NODES: dict[str, Callable[[Node], Value]] = {
    **dict.fromkeys(_REDUCTIONS, _reduce),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), _global_pool),
    "AveragePool": _average_pool,
    "MaxPool": _max_pool,
}
