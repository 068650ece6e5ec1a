"""Convolutions of ONNX graphs, as products of windows with weights.

The windows of a picture are rearranged into rows of a matrix, each with all channels of
its places, and multiplied with the weights. A convolution of single places needs no
windows. If each channel has weights of its own, the matrix unit would multiply one
column at a time; windows are then multiplied element by element, and added up.
"""

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from specs.element_view import Axis, Loop, View
from specs.vector_functions import VectorFunction
from workloads.onnx_files.nodes.movement import concatenated
from workloads.onnx_files.nodes.node import Node
from workloads.onnx_files.nodes.products import with_weights
from workloads.onnx_files.nodes.windows import Windows, window_view, windows_of
from workloads.onnx_files.values import Value, inverse


def _conv(node: Node) -> Value:
    value, weights = node.value(0), node.value(1)
    if value.constant or not weights.constant:
        raise node.refuse("convolves with weights that are not constant")
    outputs = node.shape[2:]
    windows = windows_of(node.attributes, value.shape[2:], weights.shape[2:], outputs)
    groups = node.attributes.get("group", 1)
    if groups > 1 and weights.shape[1] == 1:
        made = _of_each_channel(node, value, weights, windows)
    else:
        made = _of_groups(node, value, weights, windows, groups)
    return _biased(node, made)


def _biased(node: Node, made: Value) -> Value:
    """Return the result of a convolution with a bias for each channel, if any."""
    if not node.has(2):
        return made
    bias = node.value(2)
    cells = bias.cells.reshape(1, -1, *(1 for _ in made.shape[2:]))
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


def _transposed_conv(node: Node) -> Value:
    """Return a convolution of a value whose places are apart, with a turned kernel."""
    value, weights, of = node.value(0), node.value(1), node.attributes
    if value.constant or not weights.constant:
        raise node.refuse("convolves with weights that are not constant")
    rank = len(value.shape) - 2
    kernel, outputs = weights.shape[2:], node.shape[2:]
    strides = of.get("strides", (1,) * rank)
    dilations = of.get("dilations", (1,) * rank)
    windows = Windows(
        kernel=kernel,
        strides=(1,) * rank,
        dilations=tuple(dilations),
        before=tuple(
            (size - 1) * apart - pad
            for size, apart, pad in zip(
                kernel, dilations, _cut_off(node, strides, dilations), strict=True
            )
        ),
        after=(0,) * rank,
        outputs=outputs,
    )
    if any(step > 1 for step in strides):
        value = _apart(node, value, strides)
    turned = weights.of(np.flip(weights.cells, tuple(range(2, 2 + rank))))
    groups = of.get("group", 1)
    inner = weights.shape[0] // groups
    parts = []
    for group in range(groups):
        own = slice(group * inner, (group + 1) * inner)
        matrix = turned.of(turned.cells[own].swapaxes(0, 1))
        parts.append(_product(node, value.of(value.cells[:, own]), matrix, windows))
    made = concatenated(node, parts, 1) if groups > 1 else parts[0]
    return _biased(node, made)


def _cut_off(node: Node, strides: Sequence[int], dilations: Sequence[int]) -> list[int]:
    """Return the places that a transposed convolution leaves out at each begin."""
    of, sizes = node.attributes, node.value(0).shape[2:]
    kind = of.get("auto_pad", "NOTSET")
    if kind in ("NOTSET", "VALID") and "output_shape" not in of:
        return list(of.get("pads", (0,) * len(sizes)))[: len(sizes)]
    added = of.get("output_padding", (0,) * len(sizes))
    kernel = node.value(1).shape[2:]
    # What an output has more than there is comes behind all else.
    total = [
        max(0, step * (size - 1) + more + (wide - 1) * apart + 1 - count)
        for step, size, more, wide, apart, count in zip(
            strides, sizes, added, kernel, dilations, node.shape[2:], strict=True
        )
    ]
    return [each // 2 if kind == "SAME_UPPER" else each - each // 2 for each in total]


def _apart(node: Node, value: Value, strides: Sequence[int]) -> Value:
    """Return a value with zeros between its places, and channels last."""
    cells = value.cells
    loops = [Loop(size=cells.shape[0], stride=cells.strides[0])]
    for axis, step in enumerate(strides):
        loops.append(Loop(size=cells.shape[2 + axis], stride=cells.strides[2 + axis]))
        # The first place of each is there, and none of the others.
        loops.append(Loop(size=step, stride=1, axis=axis))
    loops.append(Loop(size=cells.shape[1], stride=cells.strides[1]))
    view = View(
        loops=tuple(loops),
        start=value.start,
        axes=tuple(Axis(size=1, stride=0) for _ in strides),
    )
    wide = [size * step for size, step in zip(cells.shape[2:], strides, strict=True)]
    shape = (cells.shape[0], *wide, cells.shape[1])
    made = node.builder.rearranged("apart", [(value.base, view)], shape)
    return made.transposed((0, len(shape) - 1, *range(1, len(shape) - 1)))


CONVOLUTION_NODES: dict[str, Callable[[Node], Value]] = {
    "Conv": _conv,
    "ConvTranspose": _transposed_conv,
}
