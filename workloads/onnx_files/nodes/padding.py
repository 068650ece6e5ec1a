"""Pads of ONNX graphs: places that are added around a value, or cut off."""

from collections.abc import Callable

import numpy as np

from specs.element_view import Axis, Loop, View
from workloads.onnx_files.nodes.movement import concatenated
from workloads.onnx_files.nodes.node import Node
from workloads.onnx_files.values import Cells, Value, inverse


def _pad(node: Node) -> Value:
    value, mode = node.value(0), node.attributes.get("mode", "constant")
    if value.constant:
        raise node.refuse("pads a constant")
    before, after = _amounts(node)
    if mode == "constant":
        return _filled(node, value, before)
    if min(*before, *after) < 0:
        raise node.refuse(f"cuts off in mode {mode}")
    for axis, (less, more) in enumerate(zip(before, after, strict=True)):
        if less or more:
            value = _continued(node, value, axis, less, more)
    return value


def _amounts(node: Node) -> tuple[list[int], list[int]]:
    """Return the places before and behind each dimension, below 0 if they are cut."""
    rank = len(node.value(0).shape)
    given = node.attributes.get("pads")
    pads = list(given) if given is not None else node.numbers(1).tolist()
    chosen = node.optional_numbers(3)
    axes = range(rank) if chosen is None else [a % rank for a in chosen.tolist()]
    before, after = [0] * rank, [0] * rank
    for place, axis in enumerate(axes):
        before[axis], after[axis] = pads[place], pads[len(axes) + place]
    return before, after


def _filled(node: Node, value: Value, before: list[int]) -> Value:
    """Return a value with places of one number around it."""
    fill = float(node.attributes.get("value", 0.0))
    if (number := node.optional_numbers(2)) is not None and number.size:
        fill = float(number.reshape(-1)[0])
    order = value.order
    view = View(
        start=value.start,
        fill=fill,
        loops=tuple(
            Loop(size=node.shape[dim], stride=1, axis=number)
            for number, dim in enumerate(order)
        ),
        axes=tuple(
            Axis(
                size=value.shape[dim],
                stride=value.cells.strides[dim],
                start=-before[dim],
            )
            for dim in order
        ),
    )
    shape = [node.shape[dim] for dim in order]
    made = node.builder.rearranged("padded", [(value.base, view)], shape)
    return made.transposed(inverse(order))


def _continued(node: Node, value: Value, axis: int, less: int, more: int) -> Value:
    """Return a value that goes on with places of its own at both ends of an axis."""
    mode, size = node.attributes["mode"], value.shape[axis]
    if max(less, more) > size - (mode == "reflect") and mode != "edge":
        raise node.refuse(f"adds more places in mode {mode} than there are")
    moved = np.moveaxis(value.cells, axis, 0)
    if mode == "reflect":
        first, last = moved[1 : less + 1][::-1], moved[size - 1 - more : size - 1][::-1]
    elif mode == "edge":
        first, last = _repeated(moved[:1], less), _repeated(moved[-1:], more)
    elif mode == "wrap":
        first, last = moved[size - less :], moved[:more]
    else:
        raise node.refuse(f"pads in mode {mode}")
    parts = [first, moved, last]
    values = [value.of(np.moveaxis(each, 0, axis)) for each in parts if len(each)]
    return concatenated(node, values, axis)


def _repeated(cells: Cells, times: int) -> Cells:
    """Return the only place of an axis several times."""
    return np.broadcast_to(cells, (times, *cells.shape[1:]))


PADDING_NODES: dict[str, Callable[[Node], Value]] = {"Pad": _pad}
