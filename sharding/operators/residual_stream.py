"""Operators between residual shards and the whole hidden vector on each chip."""

import numpy as np
from numpy.typing import NDArray

from chip.dataflow import Function
from sharding.operators.operands import RESIDUAL, Operand, Operation, operand
from sharding.operators.operator_builders import vector
from sharding.operators.operators import (
    Carried,
    Exchange,
    Pattern,
    ShardedOperator,
    nothing,
)
from sharding.parallelism.tensor_group import Range
from sharding.weights.task import Task
from specs.arrays import Ints


def whole_group(task: Task) -> Ints:
    """Return the exchange groups of an operator among all chips: one group."""
    return np.zeros(task.tensor, dtype=np.int64)


def normed_shard(task: Task, at: str) -> tuple[Operand, Operand]:
    """Return the operands of each chip's weighed shard and its norm sums.

    Parameters
    ----------
    task
        The task.
    at
        Name of the block.
    """
    shard = task.group.shards(task.model.hidden_size)
    sums = shard.start * 0 + task.norm_sums
    return (
        operand(f"{at}.weighed", *shard),
        operand(f"{at}.squares", 0, sums, *shard),
    )


def gathered_input(
    task: Task,
    *,
    at: str,
    opens: bool,
    teams: Ints,
    extra_bytes: int = 0,
    extra: Carried = nothing,
    only: NDArray[np.bool_] | None = None,
) -> list[ShardedOperator]:
    """Return the sharded operators up to the all-gathered, unscaled input.

    Parameters
    ----------
    task
        The task.
    at
        Name of the block.
    opens
        Whether the block is the first part of its module, which applies the norm's
        weights. A later part receives the weighted shard from the stage before.
    teams
        Exchange group of each chip, shape ``(width,)``.
    extra_bytes, extra
        Bytes of each token that are all-gathered with the shard, and what they are.
    only
        Chips that receive the input, None for all.
    """
    operators: list[ShardedOperator] = []
    if opens:
        # Square, sum, and multiply by the weights: three chained operations.
        norm = vector(
            task,
            "norm",
            task.shard_sizes(),
            operations=3,
            operands=2,
            readers=_readers(extra_bytes),
            computes=lambda: (weighing(task, at),),
        )
        operators.append(norm)
    gather = Exchange(
        "gather",
        Pattern.GATHER,
        task.normed_shard_bytes(extra_bytes),
        teams,
        only,
        lambda: (*normed_shard(task, at), *extra()),
    )
    return [*operators, gather]


def weighing(task: Task, at: str) -> Operation:
    """Return the operation that weighs each chip's shard for the norm of a block."""
    shard = task.group.shards(task.model.hidden_size)
    return Operation(
        f"{at}.norm",
        Function.NORM_WEIGH,
        (operand(RESIDUAL, *shard), operand(f"{at}.norm.weight", *shard)),
        normed_shard(task, at),
    )


def scaling(task: Task, at: str, columns: Range, made: str) -> Operation:
    """Return the operation that applies a norm's factor to weighed columns.

    Parameters
    ----------
    task, at
        The task, and the name of the block.
    columns
        Columns on each chip; empty on a chip that has no part in it.
    made
        Name of the result.
    """
    hidden, held = task.model.hidden_size, columns.sizes > 0
    reads = [
        operand(f"{at}.weighed", *columns),
        operand(f"{at}.squares", 0, held * task.norm_sums, 0, hidden),
    ]
    if task.model.structure.layer_norms:
        # The mean that is subtracted is weighed too, and a bias is added.
        reads.append(operand(f"{at}.norm.weight", *columns))
        reads.append(operand(f"{at}.norm.bias", *columns))
    return Operation(
        f"{at}.scale", Function.NORM_SCALE, tuple(reads), (operand(made, *columns),)
    )


def normed_input(
    task: Task,
    *,
    at: str,
    opens: bool,
    extra_bytes: int = 0,
    extra: Carried = nothing,
    only: NDArray[np.bool_] | None = None,
) -> list[ShardedOperator]:
    """Return the sharded operators up to the whole normed input.

    Parameters are those of `gathered_input`; all chips are one exchange group.
    """
    hidden = task.model.hidden_size
    whole = np.full(task.tensor, hidden) if only is None else only * hidden
    return [
        *gathered_input(
            task,
            at=at,
            opens=opens,
            teams=whole_group(task),
            extra_bytes=extra_bytes,
            extra=extra,
            only=only,
        ),
        # The root mean square is known only after the all-gather.
        vector(
            task,
            "scale",
            whole,
            operations=2,
            readers=_readers(extra_bytes),
            computes=lambda: (
                scaling(task, at, Range(0 * whole, whole), f"{at}.input"),
            ),
        ),
    ]


def _readers(extra_bytes: int) -> int:
    """Return the operators that read a norm's result: a router reads it too."""
    return 2 if extra_bytes else 1
