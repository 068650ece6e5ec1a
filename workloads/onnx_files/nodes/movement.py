"""Nodes of ONNX graphs that move elements: reshapes, transposes, slices and joins."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specs.element_view import Loop, View
from workloads.onnx_files.constants import first_number
from workloads.onnx_files.nodes.node import Node, reshaped
from workloads.onnx_files.values import Value, dims_of

# Ways of resizing that look from the middles of places.
_MIDDLES = ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel")
# More pieces of a gather with constant numbers are not taken apart.
_MOST_PIECES = 64


def _reshape(node: Node) -> Value:
    return reshaped(node, node.value(0), node.shape)


def _transpose(node: Node) -> Value:
    value = node.value(0)
    backwards = range(len(value.shape))[::-1]
    return value.transposed(node.attributes.get("perm", list(backwards)))


def _expand(node: Node) -> Value:
    value = node.value(0)
    return value.of(np.broadcast_to(value.cells, node.shape))


def _tile(node: Node) -> Value:
    value, repeats = node.value(0), node.numbers(1).tolist()
    shape = value.shape
    apart = [size for each in shape for size in (1, each)]
    spread = [
        size for pair in zip(repeats, shape, strict=True) for size in map(int, pair)
    ]
    cells = np.broadcast_to(value.cells.reshape(apart), spread)
    return reshaped(node, value.of(cells), node.shape)


def _slice(node: Node) -> Value:
    value = node.value(0)
    if "starts" in node.attributes:
        starts, ends = (list(node.attributes[key]) for key in ("starts", "ends"))
        axes = list(node.attributes.get("axes", range(len(starts))))
        steps = [1] * len(starts)
    else:
        starts, ends = node.numbers(1).tolist(), node.numbers(2).tolist()
        given, stepped = node.optional_numbers(3), node.optional_numbers(4)
        axes = list(range(len(starts))) if given is None else given.tolist()
        steps = [1] * len(starts) if stepped is None else stepped.tolist()
    cut = [slice(None)] * len(value.shape)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        size = value.shape[axis]
        first, last = _edge(start, size, step), _edge(end, size, step)
        cut[axis] = slice(first, None if last < 0 else last, step)
    return value.of(value.cells[tuple(cut)])


def _edge(place: int, size: int, step: int) -> int:
    """Return a place of a slice within an axis, as ONNX counts it."""
    place = place + size if place < 0 else place
    low, high = (0, size) if step > 0 else (-1, size - 1)
    return min(max(place, low), high)


def _split(node: Node) -> list[Value | None]:
    value = node.value(0)
    axis = node.attributes.get("axis", 0) % len(value.shape)
    found: list[Value | None] = []
    sizes = node.optional_numbers(1)
    lengths = node.attributes.get("split", None if sizes is None else sizes.tolist())
    if lengths is None:
        each = -(-value.shape[axis] // len(node.shapes))
        lengths = [each] * len(node.shapes)
    begin = 0
    for length in lengths:
        cut = [slice(None)] * len(value.shape)
        cut[axis] = slice(begin, begin + length)
        found.append(value.of(value.cells[tuple(cut)]))
        begin += length
    return found


def concatenated(node: Node, values: Sequence[Value], axis: int) -> Value:
    """Return ONNX values side by side along an axis, in the order of the first."""
    builder, axis = node.builder, axis % len(values[0].shape)
    whole = [value for value in values if value.cells.size] or list(values[:1])
    if all(value.constant for value in whole):
        return builder.derived_as(
            "joined",
            tuple(
                sum(value.shape[dim] for value in whole)
                if dim == axis
                else whole[0].shape[dim]
                for dim in range(len(whole[0].shape))
            ),
            lambda *arrays: np.concatenate(arrays, axis),
            *whole,
        )
    if len(whole) == 1:
        return whole[0]
    order = next((v for v in whole if not v.constant), whole[0]).order
    parts = []
    for value in (each.transposed(order) for each in whole):
        if value.constant:
            base = builder.tensor(value)
            plain = View(loops=(Loop(size=value.cells.size, stride=1),))
            parts.append((base, plain))
        else:
            parts.append((value.base, value.view()))
    sizes = list(whole[0].shape)
    sizes[axis] = sum(value.shape[axis] for value in whole)
    shape = [sizes[dim] for dim in order]
    turns = prod(shape[: order.index(axis)])
    made = builder.rearranged("joined", parts, shape, turns=turns)
    return made.transposed(tuple(np.argsort(order).tolist()))


def _concat(node: Node) -> Value:
    values = [node.value(place) for place in range(len(node.inputs))]
    return concatenated(node, values, node.attributes["axis"])


def _gather(node: Node) -> Value:
    value, axis = node.value(0), node.attributes.get("axis", 0)
    axis %= len(value.shape)
    chosen = node.known(1)
    if chosen is not None:
        return _gathered(node, value, axis, chosen)
    index = node.value(1)
    if not value.constant or axis or len(value.shape) != 2:  # noqa: PLR2004
        raise node.refuse(
            "gathers by numbers that are not constant; rows of a constant table of two "
            "dimensions are known"
        )
    table = node.builder.tensor(value, dims=dims_of(value.shape))
    rows = node.builder.tensor(index)
    return node.builder.looked_up(table, rows, (*index.shape, value.shape[1]))


def _gathered(node: Node, value: Value, axis: int, chosen: NDArray[Any]) -> Value:
    """Return the places along an axis that constant numbers name."""
    numbers = [int(each) % value.shape[axis] for each in chosen.reshape(-1)]
    steps = {after - before for before, after in pairwise(numbers)} or {1}
    before = (slice(None),) * axis
    if len(steps) == 1:
        (step,) = steps
        if step == 0:
            one = value.cells[(*before, slice(numbers[0], numbers[0] + 1))]
            wide = list(one.shape)
            wide[axis] = len(numbers)
            cells = np.broadcast_to(one, wide)
        else:
            end = numbers[-1] + (1 if step > 0 else -1)
            cells = value.cells[
                (*before, slice(numbers[0], None if end < 0 else end, step))
            ]
        return reshaped(node, value.of(cells), node.shape)
    if len(numbers) > _MOST_PIECES:
        raise node.refuse(f"gathers {len(numbers)} places that are in no order")
    pieces = [value.of(value.cells[(*before, slice(n, n + 1))]) for n in numbers]
    return reshaped(node, concatenated(node, pieces, axis), node.shape)


def _resize(node: Node) -> Value:
    """Return a value whose places are repeated: the nearest of a whole factor."""
    value, of = node.value(0), node.attributes
    factors = [
        large // small
        for large, small in zip(node.shape, value.shape, strict=True)
        if large % small == 0
    ]
    old = node.kind == "Upsample"
    begins = ("asymmetric", "floor") if old else ("half_pixel", "round_prefer_floor")
    where = of.get("coordinate_transformation_mode", begins[0])
    rounding = of.get("nearest_mode", begins[1])
    # The middles of places have their own place nearest, and the begins if cut off.
    nearest = where in _MIDDLES or (where == "asymmetric" and rounding == "floor")
    whole = len(factors) == len(node.shape)
    if of.get("mode", "nearest") != "nearest" or not (whole and nearest):
        raise node.refuse(
            f"resizes by {of.get('mode', 'nearest')} of {where}; the nearest of whole "
            f"factors is known"
        )
    apart = [size for each in value.shape for size in (each, 1)]
    spread = [
        size
        for each, factor in zip(value.shape, factors, strict=True)
        for size in (each, factor)
    ]
    cells = np.broadcast_to(value.cells.reshape(apart), spread)
    return reshaped(node, value.of(cells), node.shape)


def _depth_to_space(node: Node) -> Value:
    value, block = node.value(0), node.attributes["blocksize"]
    batch, channels, height, width = value.shape
    inner = channels // block**2
    if node.attributes.get("mode", "DCR") == "DCR":
        shape = (batch, block, block, inner, height, width)
        order = (0, 3, 4, 1, 5, 2)
    else:
        shape = (batch, inner, block, block, height, width)
        order = (0, 1, 4, 2, 5, 3)
    apart = reshaped(node, value, shape).transposed(order)
    return reshaped(node, apart, node.shape)


def _space_to_depth(node: Node) -> Value:
    value, block = node.value(0), node.attributes["blocksize"]
    batch, channels, height, width = value.shape
    shape = (batch, channels, height // block, block, width // block, block)
    depth_first = node.attributes.get("mode", "DCR") == "DCR"
    order = (0, 3, 5, 1, 2, 4) if depth_first else (0, 1, 3, 5, 2, 4)
    apart = reshaped(node, value, shape).transposed(order)
    return reshaped(node, apart, node.shape)


def _filled(node: Node) -> Value:
    given = node.attributes.get("value")
    number = 0.0 if given is None else first_number(given)
    one = node.builder.constant(node.name, (), lambda: np.array(number))
    return one.of(np.broadcast_to(one.cells, node.shape))


MOVEMENT_NODES: dict[str, Callable[[Node], Value | list[Value | None]]] = {
    **dict.fromkeys(("Flatten", "Reshape", "Squeeze", "Unsqueeze"), _reshape),
    "Concat": _concat,
    "ConstantOfShape": _filled,
    "DepthToSpace": _depth_to_space,
    "Expand": _expand,
    "Gather": _gather,
    **dict.fromkeys(("Resize", "Upsample"), _resize),
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Tile": _tile,
    "Transpose": _transpose,
}
