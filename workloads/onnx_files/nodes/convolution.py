"""Convolutions of ONNX graphs, as products of windows with weights.

The windows of a picture are rearranged into rows of a matrix, each with all channels of
its places, and multiplied with the weights. A convolution of single places needs no
windows. If each channel has weights of its own, the matrix unit would multiply one
column at a time; windows are then multiplied element by element, and added up.
"""

from collections.abc import Callable
from math import prod

import numpy as np

from specs.element_view import Loop
from specs.vector_functions import VectorFunction
from workloads.onnx_files.nodes.movement import concatenated
from workloads.onnx_files.nodes.node import Node
from workloads.onnx_files.nodes.products import with_weights
from workloads.onnx_files.nodes.windows import Windows, window_view, windows_of
from workloads.onnx_files.values import Value, inverse


def _conv(node: Node) -> Value:
    value, weights = node.value(0), node.value(1)
    if not weights.constant:
        raise node.refuse("convolves with weights that are not constant")
    outputs = node.shape[2:]
    windows = windows_of(node.attributes, value.shape[2:], weights.shape[2:], outputs)
    groups = node.attributes.get("group", 1)
    if groups > 1 and weights.shape[1] == 1:
        made = _of_each_channel(node, value, weights, windows)
    else:
        made = _of_groups(node, value, weights, windows, groups)
    if not node.has(2):
        return made
    bias = node.value(2)
    cells = bias.cells.reshape(1, -1, *(1 for _ in outputs))
    return node.builder.elementwise(VectorFunction.ADD, made, bias.of(cells))


def _of_groups(
    node: Node, value: Value, weights: Value, windows: Windows, groups: int
) -> Value:
    """Return a convolution of groups of channels, a product for each group."""
    inner, outer = weights.shape[1], weights.shape[0] // groups
    parts = []
    for group in range(groups):
        own = value.of(value.cells[:, group * inner : (group + 1) * inner])
        matrix = weights.of(weights.cells[group * outer : (group + 1) * outer])
        parts.append(_product(node, own, matrix, windows))
    return concatenated(node, parts, 1) if groups > 1 else parts[0]


def _product(node: Node, value: Value, weights: Value, windows: Windows) -> Value:
    """Return a convolution as a product: windows by channels of the result."""
    rank = len(windows.outputs)
    spatial = tuple(range(2, 2 + rank))
    batch, channels = value.shape[:2]
    inner = channels * prod(windows.kernel)
    # Places of a window, then channels: the order of the windows' columns.
    ordered = weights.transposed((*spatial, 1, 0))
    matrix = ordered.reshaped((inner, weights.shape[0]))
    if matrix is None:
        flat = node.builder.derived("matrix", np.array, ordered)
        matrix = flat.of(flat.cells.reshape(inner, weights.shape[0]))
    if windows.trivial:
        made = with_weights(node, value.transposed((0, *spatial, 1)), matrix)
    else:
        loop = Loop(size=channels, stride=value.cells.strides[1])
        view = window_view(value, windows, (loop,), channels_first=False)
        rows = node.builder.rearranged(
            "windows", [(value.base, view)], (batch, *windows.outputs, inner)
        )
        made = with_weights(node, rows, matrix)
    return made.transposed(inverse((0, *spatial, 1)))


def _of_each_channel(
    node: Node, value: Value, weights: Value, windows: Windows
) -> Value:
    """Return a convolution whose channels have weights of their own."""
    builder, (batch, channels) = node.builder, value.shape[:2]
    several = weights.shape[0] // channels
    loops = (
        Loop(size=channels, stride=value.cells.strides[1]),
        Loop(size=several, stride=0),
    )
    view = window_view(value, windows, loops, channels_first=True)
    places = prod(windows.kernel)
    rows = batch * prod(windows.outputs)
    shape = (rows, weights.shape[0] * places)
    taken = builder.rearranged("windows", [(value.base, view)], shape)
    row = weights.reshaped((shape[1],))
    if row is None:
        flat = builder.derived("row", np.array, weights)
        row = flat.of(flat.cells.reshape(-1))
    weighed = builder.elementwise(VectorFunction.MULTIPLY, taken, row)
    own = (batch, *windows.outputs, weights.shape[0])
    made = builder.vector(VectorFunction.REDUCE_SUM, (weighed.base,), own)
    spatial = tuple(range(2, 2 + len(windows.outputs)))
    return made.transposed(inverse((0, *spatial, 1)))


CONVOLUTION_NODES: dict[str, Callable[[Node], Value]] = {"Conv": _conv}
