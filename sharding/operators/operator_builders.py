"""Matrix products and vector operators of a task, with the work of each chip."""

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
from sharding.weights.task import Task
from specs.arrays import Ints
from specs.formats import Format


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
    stored: Format | None = None,
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
        Format of the matrix. If None, that of weights.
    ready
        Rounds that can be loaded before the product. If None, all.
    tokens
        Tokens whose vectors enter and leave. If None, the task's.
    readers
        As in `chip.operator_work.ProductWork`.
    computes
        Returns what it computes on each chip.
    """
    number_format = stored or task.machine.formats.weights
    mode = task.operand_bytes(number_format)
    cut = tiling(task.machine.chip, mode)
    vectors = task.tokens if rows is None else rows
    activation = task.activation_format
    through = task.tokens if tokens is None else tokens
    ones = np.ones_like(inner)

    def work_of(
        several: int, entering: int, leaving: int, times: int, *others: int
    ) -> ProductWork:
        known, *lengths = others
        deep, wide = lengths[: 1 + len(stacked)], lengths[1 + len(stacked) :]
        shape = Shape(tuple(deep), tuple(wide), several)
        rounds = cut.rounds(shape)
        return ProductWork(
            shape=shape,
            rows=times,
            stored_bytes=number_format.bytes_of(shape.elements),
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
    computes
        Returns what it computes on each chip.
    """
    bits = task.activation_format.bits

    def work_of(amount: int) -> VectorWork:
        return VectorWork(
            amount, bits, operations, passes, operands, reorders, readers, reductions
        )

    chip = task.machine.chip
    amounts = elements * (task.tokens if tokens is None else tokens)
    return compute(name, Unit.VECTOR, chip, work_of, amounts, operations=computes)
