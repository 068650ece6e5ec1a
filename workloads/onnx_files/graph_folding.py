"""Folding of constants of an ONNX graph into the weights of the product before them.

A batch norm behind a convolution is a factor and a shift of each column of its result.
The weights take the factors before the graph runs, and one sum the shifts.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from specs.graph import Matmul, Operator, Role, Tensor, Vector
from specs.vector_functions import VectorFunction as V
from workloads.onnx_files.graph_builder import OnnxGraphBuilder
from workloads.onnx_files.values import whole
from workloads.onnx_files.weight_sources import Array, WeightSource

_FACTORS, _SHIFTS = (V.MULTIPLY, V.DIVIDE), (V.ADD, V.SUBTRACT)


class _Step(NamedTuple):
    """Function of a product's result and a constant row or number."""

    vector: Vector
    constant: WeightSource


def folded(
    builder: OnnxGraphBuilder, operators: Sequence[Operator], kept: set[str]
) -> list[Operator]:
    """Return operators of an ONNX graph without factors of a product's columns.

    Parameters
    ----------
    builder
        What has the tensors and weights of the operators; those of products change.
    operators
        The operators.
    kept
        Tensors that must be made: outputs.
    """
    readers: dict[str, list[Operator]] = {}
    for operator in operators:
        for name in operator.reads:
            readers.setdefault(name, []).append(operator)
    gone: set[str] = set()
    instead: dict[str, list[Operator]] = {}
    for product in operators:
        if not isinstance(product, Matmul) or product.right not in builder.weights:
            continue
        steps = _steps(builder, product, readers, kept)
        factors = sum(step.vector.function in _FACTORS for step in steps)
        if len(readers[product.right]) > 1 or not (factors or steps[1:]):
            continue
        gone |= {step.vector.name for step in steps}
        instead[product.name] = _joined(builder, product, steps)
    return [
        each
        for operator in operators
        if operator.name not in gone
        for each in instead.get(operator.name, [operator])
    ]


def _steps(
    builder: OnnxGraphBuilder,
    product: Matmul,
    readers: Mapping[str, list[Operator]],
    kept: set[str],
) -> list[_Step]:
    """Return the functions of a product's columns that follow it, one by one."""
    found: list[_Step] = []
    columns = builder.tensors[product.right].columns
    name = product.output
    while name not in kept and len(readers.get(name, ())) == 1:
        (vector,) = readers[name]
        step = _step(builder, vector, name, columns)
        if step is None:
            break
        found.append(step)
        name = step.vector.outputs[0]
    return found


def _step(
    builder: OnnxGraphBuilder, operator: Operator, name: str, columns: int
) -> _Step | None:
    """Return what an operator does to the columns of a tensor, None if it is another.

    Parameters
    ----------
    builder
        What has the tensors.
    operator
        The operator that reads the tensor.
    name, columns
        The tensor, and the columns that the product has made.
    """
    if not isinstance(operator, Vector) or len(operator.inputs) != len("ab"):
        return None
    first, other = operator.inputs
    swaps = operator.function in (V.ADD, V.MULTIPLY)
    if other == name and swaps:
        first, other = other, first
    made = builder.tensors[operator.outputs[0]]
    alike = builder.tensors[name].columns == made.columns == columns
    known = operator.function in (*_FACTORS, *_SHIFTS)
    if first != name or other not in builder.weights or not (alike and known):
        return None
    if not _is_row(builder.tensors[other], columns):
        return None
    return _Step(operator, builder.weights[other])


def _is_row(tensor: Tensor, columns: int) -> bool:
    """Return whether a tensor is a row of as many columns, or a single number."""
    return tensor.elements == 1 or tensor.elements == tensor.columns == columns


def _joined(
    builder: OnnxGraphBuilder, product: Matmul, steps: Sequence[_Step]
) -> list[Operator]:
    """Return a product with other weights, and the sum with all shifts behind it."""
    source, right = builder.weights[product.right], builder.tensors[product.right]
    last = steps[-1].vector.outputs[0]

    def factors() -> Array:
        return source.array() * _affine(steps, right.columns)[0]

    def shifts() -> Array:
        return _affine(steps, right.columns)[1]

    matrix = whole(product.right, (right.rows, right.columns), constant=True)
    dims = (1, right.rows, right.columns)
    builder.weights[product.right] = WeightSource(matrix, factors, dims)
    if not any(step.vector.function in _SHIFTS for step in steps):
        return [product.model_copy(update={"output": last})]
    row = f"{product.name}.shifts"
    shape = (1, 1, right.columns)
    builder.tensors[row] = Tensor(
        name=row, role=Role.WEIGHTS, rows=1, columns=right.columns
    )
    value = whole(row, (right.columns,), constant=True)
    builder.weights[row] = WeightSource(value, shifts, shape)
    total = Vector(
        name=last, inputs=(product.output, row), outputs=(last,), function=V.ADD
    )
    return [product, total]


def _affine(steps: Sequence[_Step], columns: int) -> tuple[Array, Array]:
    """Return the factor and the shift of each column that some functions come to."""
    factor, shift = np.ones(columns), np.zeros(columns)
    for vector, constant in steps:
        row = np.broadcast_to(constant.array().reshape(-1), columns)
        if vector.function in _FACTORS:
            own = 1 / row if vector.function is V.DIVIDE else row
            factor, shift = factor * own, shift * own
        else:
            shift = shift + (-row if vector.function is V.SUBTRACT else row)
    return factor, shift
