"""Products and vectors of a job, as operators with what they ask of each chip."""

import numpy as np

from chip.operator_work import ProductWork, VectorWork
from sharding.operators.operators import Compute, Unit, compute
from sharding.transformer.task import Task
from specs.arrays import Ints
from specs.formats import Format


def matrix_product(
    task: Task,
    name: str,
    weights: Ints,
    *,
    inputs: Ints | None = None,
    outputs: Ints | None = None,
    batch: int | None = None,
    stored: Format | None = None,
    ready: Ints | None = None,
    masked: Ints | None = None,
    tokens: int | None = None,
) -> Compute:
    """Return a product with `weights` elements on each chip.

    Parameters
    ----------
    task, name, weights
        The job, what the product is called, and the elements of its matrix.
    inputs, outputs
        Elements of one token's vectors, the hidden size and what follows from it if
        None.
    batch
        Vectors that use the weights while they are installed; the task's tokens if
        None.
    stored
        Their format; that of the weights if None.
    ready
        Elements that can be loaded ahead of the product; all if None.
    masked
        Multiply-accumulates that a causal mask leaves out; none if None.
    tokens
        Tokens whose vectors go in and come out; the task's if None.
    """
    number_format = stored or task.machine.formats.weights
    width_bytes = task.operand_bytes(number_format)
    vectors = task.tokens if batch is None else batch
    activation = task.activation_format
    through = task.tokens if tokens is None else tokens

    def asked(
        held: int, entering: int, leaving: int, known: int, left_out: int
    ) -> ProductWork:
        return ProductWork(
            weights=held,
            stored_bytes=number_format.bytes_of(held),
            operand_bytes=width_bytes,
            batch=vectors,
            input_bytes=activation.bytes_of(entering * through),
            output_bytes=activation.bytes_of(leaving * through),
            ready_bytes=known * width_bytes,
            masked_macs=left_out,
        )

    if inputs is None:
        inputs = np.full(task.tensor, task.model.hidden_size, dtype=np.int64)
    if outputs is None:
        outputs = weights // np.maximum(inputs, 1)
    known = weights if ready is None else ready
    return compute(
        name,
        Unit.MATMUL,
        task.machine.chip,
        asked,
        weights,
        inputs,
        outputs,
        known,
        0 * weights if masked is None else masked,
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
) -> Compute:
    """Return vector work on `elements` of each token (`chip.operator_work.VectorWork`).

    The tokens are the task's if None.
    """
    bits = task.activation_format.bits

    def asked(amount: int) -> VectorWork:
        return VectorWork(amount, bits, operations, passes, operands, reorders, readers)

    chip = task.machine.chip
    amounts = elements * (task.tokens if tokens is None else tokens)
    return compute(name, Unit.VECTOR, chip, asked, amounts)
