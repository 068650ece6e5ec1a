"""Matrix products and vector operators of a task, with the work of each chip."""

import numpy as np

from chip.operator_work import ProductWork, VectorWork
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
    weights: Ints,
    *,
    inputs: Ints,
    outputs: Ints | None = None,
    batch: int | None = None,
    stored: Format | None = None,
    ready: Ints | None = None,
    masked: Ints | None = None,
    tokens: int | None = None,
    computes: Operations = nothing,
) -> Compute:
    """Return a sharded matrix-product operator with `weights` elements on each chip.

    Parameters
    ----------
    task, name, weights
        The task, the name of the product, and the elements of its matrix.
    inputs, outputs
        Elements of one token's input and output vectors. If None, the outputs are
        `weights` divided by the inputs.
    batch
        Vectors that are multiplied while the weights are installed. If None, the
        task's tokens.
    stored
        Format of the matrix. If None, that of weights.
    ready
        Elements that can be loaded before the product. If None, all.
    masked
        Multiply-accumulates that a causal mask leaves out. If None, 0.
    tokens
        Tokens whose vectors enter and leave. If None, the task's.
    computes
        Returns what it computes on each chip.
    """
    number_format = stored or task.machine.formats.weights
    width_bytes = task.operand_bytes(number_format)
    vectors = task.tokens if batch is None else batch
    activation = task.activation_format
    through = task.tokens if tokens is None else tokens

    def work_of(
        held: int, entering: int, leaving: int, loadable: int, left_out: int
    ) -> ProductWork:
        return ProductWork(
            weights=held,
            stored_bytes=number_format.bytes_of(held),
            operand_bytes=width_bytes,
            batch=vectors,
            input_bytes=activation.bytes_of(entering * through),
            output_bytes=activation.bytes_of(leaving * through),
            ready_bytes=loadable * width_bytes,
            masked_macs=left_out,
        )

    if outputs is None:
        outputs = weights // np.maximum(inputs, 1)
    loadable = weights if ready is None else ready
    return compute(
        name,
        Unit.MATMUL,
        task.machine.chip,
        work_of,
        weights,
        inputs,
        outputs,
        loadable,
        0 * weights if masked is None else masked,
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
    tokens: int | None = None,
    computes: Operations = nothing,
) -> Compute:
    """Return a sharded vector operator on `elements` of each token on each chip.

    Parameters
    ----------
    task, name, elements
        The task, the name of the operator, and the elements of one token, shape
        ``(width,)``.
    operations, passes, operands, reorders, readers
        As in `chip.operator_work.VectorWork`.
    tokens
        Tokens that are computed. If None, the task's.
    computes
        Returns what it computes on each chip.
    """
    bits = task.activation_format.bits

    def work_of(amount: int) -> VectorWork:
        return VectorWork(amount, bits, operations, passes, operands, reorders, readers)

    chip = task.machine.chip
    amounts = elements * (task.tokens if tokens is None else tokens)
    return compute(name, Unit.VECTOR, chip, work_of, amounts, operations=computes)
