"""Matrix products of ONNX graphs: with weights, and of two values in pairs."""

from collections.abc import Callable
from math import prod

import numpy as np

from specs.vector_functions import VectorFunction
from workloads.onnx_files.nodes.node import Node
from workloads.onnx_files.values import Value, inverse

_MATRIX = 2


def with_weights(node: Node, left: Value, weights: Value) -> Value:
    """Return the product of an ONNX value's last dimension with constant weights.

    Parameters
    ----------
    node
        The node.
    left
        Value of shape ``(..., inner)``.
    weights
        Constant of shape ``(inner, columns)``.
    """
    builder, (inner, columns) = node.builder, weights.shape
    order = left.order_with_last(-1)
    rows = builder.tensor(left.transposed(order), columns=inner)
    right = builder.tensor(weights, dims=(1, inner, columns))
    own = [left.shape[dim] for dim in order[:-1]]
    return builder.product(rows, right, (*own, columns)).transposed(inverse(order))


def in_pairs(node: Node, left: Value, right: Value) -> Value:
    """Return the products of matrices of two ONNX values, each with its own.

    Parameters
    ----------
    node
        The node.
    left, right
        Values of shapes ``(..., rows, inner)`` and ``(..., inner, columns)``, whose
        leading dimensions are broadcast.
    """
    builder = node.builder
    before = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    operands = []
    for value in (left, right):
        rows, columns = value.shape[-2:]
        own = value.of(np.broadcast_to(value.cells, (*before, rows, columns)))
        dims = (prod(before), rows, columns)
        name = builder.tensor(own, dims=dims)
        if value.constant:
            name = builder.vector(
                VectorFunction.COPY, (name,), own.shape, dims=dims
            ).base
        operands.append(name)
    shape = (*before, left.shape[-2], right.shape[-1])
    return builder.product(operands[0], operands[1], shape)


def multiplied(node: Node, left: Value, right: Value) -> Value:
    """Return the matrix product of two ONNX values, as NumPy's ``matmul``."""
    one = left.of(left.cells[None, :]) if len(left.shape) == 1 else left
    two = right.of(right.cells[:, None]) if len(right.shape) == 1 else right
    flat = prod(two.shape[:-2]) == 1
    if two.constant and flat and len(one.shape) >= len(two.shape):
        made = with_weights(node, one, two.of(two.cells.reshape(two.shape[-2:])))
    elif one.constant and len(one.shape) == _MATRIX and not two.constant:
        made = _swapped(
            with_weights(node, _swapped(two), one.of(one.cells.transpose()))
        )
    elif flat and len(two.shape) == _MATRIX and len(one.shape) > _MATRIX:
        rows = one.reshaped((-1, one.shape[-1]))
        made = in_pairs(node, rows, two) if rows else in_pairs(node, one, two)
    else:
        made = in_pairs(node, one, two)
    cells = made.cells.reshape(node_shape(left, right, made))
    return made.of(cells)


def node_shape(left: Value, right: Value, made: Value) -> tuple[int, ...]:
    """Return the shape of an ONNX product, without dimensions of vectors."""
    before = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    rows = left.shape[-2:-1]
    columns = right.shape[-1:] if len(right.shape) > 1 else ()
    assert prod((*before, *rows, *columns)) == made.cells.size
    return (*before, *rows, *columns)


def _swapped(value: Value) -> Value:
    return value.of(value.cells.swapaxes(-1, -2))


def _matmul(node: Node) -> Value:
    return multiplied(node, node.value(0), node.value(1))


def _gemm(node: Node) -> Value:
    builder, of = node.builder, node.attributes
    left, right = (
        value.transposed((1, 0)) if of.get(key) else value
        for value, key in ((node.value(0), "transA"), (node.value(1), "transB"))
    )
    made = multiplied(node, left, right)
    made = scaled(node, made, of.get("alpha", 1.0))
    if not node.has(2) or of.get("beta", 1.0) == 0:
        return made
    bias = scaled(node, node.value(2), of.get("beta", 1.0))
    return builder.elementwise(VectorFunction.ADD, made, bias)


def scaled(node: Node, value: Value, factor: float) -> Value:
    """Return an ONNX value times a number; constants are multiplied beforehand."""
    if factor == 1:
        return value
    if value.constant:
        return node.builder.derived("scaled", lambda array: array * factor, value)
    number = node.builder.scalar(factor)
    return node.builder.elementwise(VectorFunction.MULTIPLY, value, number)


PRODUCT_NODES: dict[str, Callable[[Node], Value]] = {"Gemm": _gemm, "MatMul": _matmul}
