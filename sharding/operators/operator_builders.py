"""Matrix products and vector operators of a task, with the work of each chip."""

from typing import NamedTuple

import numpy as np

from chip.mxm_tiling import tiling
from chip.operator_work import ProductWork, Shape, VectorWork
from sharding.operators.operators import (
    Compute,
    Operations,
    Unit,
    compute,
    nothing,
)
from sharding.parallelism.tensor_group import Range
from sharding.weights.task import Task
from specs.arrays import Ints
from specs.formats import Format
from specs.linear_attention import STATE_FORMAT
from specs.units import BITS_PER_BYTE
from specs.weight_formats import WeightFormat


class StoredMatrices(NamedTuple):
    """Weight matrices of a sharded product as they are stored.

    Attributes
    ----------
    element
        Format of their elements, the widest of them.
    bytes
        Bytes of all matrices that each chip multiplies, with their scales, shape
        ``(width,)``.
    """

    element: Format
    bytes: Ints


class MatrixParts(NamedTuple):
    """Parts of matrices that each chip of a sharded product multiplies.

    Attributes
    ----------
    format
        Number format of the matrices.
    rows, columns
        Ranges of the outputs and of the inputs of a matrix that each chip has.
    matrices
        Matrices of which a chip has these parts, as of experts.
    """

    format: WeightFormat
    rows: tuple[Range, ...]
    columns: tuple[Range, ...]
    matrices: Ints | int = 1


def stored_matrices(*parts: MatrixParts) -> StoredMatrices:
    """Return the parts of matrices of a sharded product as they are stored."""
    none = 0 * parts[0].rows[0].start
    bits, scaled = none, none
    for stored, rows, columns, number in parts:
        if stored.scaled:
            slices = (stored.slice_bytes(low, left) for low in rows for left in columns)
            scaled = scaled + number * sum(slices, none)
        else:
            area = sum((cut.sizes for cut in rows), none)
            area = area * sum((cut.sizes for cut in columns), none)
            bits = bits + number * area * stored.element.bits
    widest = max((part.format.element for part in parts), key=lambda each: each.bits)
    return StoredMatrices(widest, scaled - (-bits // BITS_PER_BYTE))


def matrix_product(
    task: Task,
    name: str,
    *,
    inner: Ints,
    columns: tuple[Ints, ...],
    matrices: Ints | int = 1,
    stacked: tuple[Ints, ...] = (),
    rows: Ints | int | None = None,
    inputs: Ints | None = None,
    outputs: Ints | None = None,
    stored: Format | StoredMatrices,
    ready: Ints | None = None,
    tokens: int | None = None,
    readers: int = 1,
    computes: Operations = nothing,
) -> Compute:
    """Return a sharded matrix-product operator: rounds of tiles on each chip.

    Parameters
    ----------
    task, name
        The task, and the name of the product.
    inner, columns, matrices
        Length of the input vectors, lengths of the parts of the results, and number of
        matrices on each chip, as in `chip.operator_work.Shape`; shape ``(width,)``.
    stacked
        Lengths of further parts of the input vectors, each of shape ``(width,)``.
    rows
        Vectors that are multiplied with each matrix, of all chips or of each. If None,
        the task's tokens.
    inputs, outputs
        Elements of one token's input and output vectors. If None, `inner`, and the sum
        of `columns`.
    stored
        Format of the matrices, or that of weights with the bytes on each chip.
    ready
        Rounds that can be loaded before the product. If None, all.
    tokens
        Tokens whose vectors enter and leave. If None, the task's.
    readers
        As in `chip.operator_work.ProductWork`.
    computes
        Returns what it computes on each chip.
    """
    element = stored.element if isinstance(stored, StoredMatrices) else stored
    mode = task.operand_bytes(element)
    cut = tiling(task.machine.chip, mode)
    vectors = task.tokens if rows is None else rows
    activation = task.activation_format
    through = task.tokens if tokens is None else tokens
    ones = np.ones_like(inner)

    def work_of(
        several: int, entering: int, leaving: int, times: int, *others: int
    ) -> ProductWork:
        known, held_bytes, *lengths = others
        deep, wide = lengths[: 1 + len(stacked)], lengths[1 + len(stacked) :]
        shape = Shape(tuple(deep), tuple(wide), several)
        rounds = cut.rounds(shape)
        return ProductWork(
            shape=shape,
            rows=times,
            stored_bytes=held_bytes
            if held_bytes >= 0
            else element.bytes_of(shape.elements),
            operand_bytes=mode,
            input_bytes=activation.bytes_of(entering * through),
            output_bytes=activation.bytes_of(leaving * through),
            ready_rounds=rounds if known < 0 else known,
            readers=readers,
        )

    return compute(
        name,
        Unit.MATMUL,
        task.machine.chip,
        work_of,
        matrices * ones,
        inner if inputs is None else inputs,
        sum(columns, 0 * ones) if outputs is None else outputs,
        vectors * ones,
        -ones if ready is None else ready,
        stored.bytes if isinstance(stored, StoredMatrices) else -ones,
        inner,
        *stacked,
        *columns,
        operations=computes,
    )


def vector(
    task: Task,
    name: str,
    elements: Ints,
    *,
    operations: int = 1,
    passes: int = 1,
    operands: int = 1,
    reorders: bool = False,
    readers: int = 1,
    reductions: int = 0,
    tokens: int | None = None,
    wide: bool = False,
    computes: Operations = nothing,
) -> Compute:
    """Return a sharded vector operator on `elements` of each token on each chip.

    Parameters
    ----------
    task, name, elements
        The task, the name of the operator, and the elements of one token, shape
        ``(width,)``.
    operations, passes, operands, reorders, readers, reductions
        As in `chip.operator_work.VectorWork`.
    tokens
        Tokens that are computed. If None, the task's.
    wide
        Whether its elements are those of a state, in FP32.
    computes
        Returns what it computes on each chip.
    """
    bits = (STATE_FORMAT if wide else task.activation_format).bits

    def work_of(amount: int) -> VectorWork:
        return VectorWork(
            amount, bits, operations, passes, operands, reorders, readers, reductions
        )

    chip = task.machine.chip
    amounts = elements * (task.tokens if tokens is None else tokens)
    return compute(name, Unit.VECTOR, chip, work_of, amounts, operations=computes)
