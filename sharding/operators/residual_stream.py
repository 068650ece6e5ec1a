"""Operators between residual shards and the whole hidden vector on each chip."""

import numpy as np
from numpy.typing import NDArray

from sharding.operators.operator_builders import vector
from sharding.operators.operators import Exchange, Pattern, ShardedOperator
from sharding.transformer.task import Task
from specs.arrays import Ints


def whole_group(task: Task) -> Ints:
    """Return the exchange groups of an operator among all chips: one group."""
    return np.zeros(task.tensor, dtype=np.int64)


def gathered_input(
    task: Task,
    *,
    opens: bool,
    teams: Ints,
    extra_bytes: int = 0,
    only: NDArray[np.bool_] | None = None,
) -> list[ShardedOperator]:
    """Return the operators from residual shards to the all-gathered, unscaled input.

    Parameters
    ----------
    task
        The task.
    opens
        Whether the block is the first part of its module, which applies the norm's
        weights. A later part receives the weighted shard from the stage before.
    teams
        Exchange group of each chip, shape ``(width,)``.
    extra_bytes
        Bytes of each token that are all-gathered with the shard.
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
        )
        operators.append(norm)
    shard_bytes = task.normed_shard_bytes(extra_bytes)
    return [*operators, Exchange("gather", Pattern.GATHER, shard_bytes, teams, only)]


def normed_input(
    task: Task,
    *,
    opens: bool,
    extra_bytes: int = 0,
    only: NDArray[np.bool_] | None = None,
) -> list[ShardedOperator]:
    """Return the operators from residual shards to the whole normed input.

    Parameters are those of `gathered_input`; all chips are one exchange group.
    """
    hidden = task.model.hidden_size
    whole = np.full(task.tensor, hidden) if only is None else only * hidden
    return [
        *gathered_input(
            task,
            opens=opens,
            teams=whole_group(task),
            extra_bytes=extra_bytes,
            only=only,
        ),
        # The root mean square is known only after the all-gather.
        vector(task, "scale", whole, operations=2, readers=_readers(extra_bytes)),
    ]


def _readers(extra_bytes: int) -> int:
    """Return the operators that read a norm's result: a router reads it too."""
    return 2 if extra_bytes else 1


def reduced_output(
    task: Task,
    *,
    teams: Ints,
    summands: int,
    post_norm: bool,
    biased: bool = False,
    only: NDArray[np.bool_] | None = None,
) -> list[ShardedOperator]:
    """Return the operators from partial sums back to the residual shards.

    Parameters
    ----------
    task
        The task.
    teams
        Exchange group of each chip, shape ``(width,)``. Chips of one group have
        partial sums of the same shards.
    summands
        Partial sums of each shard.
    post_norm, biased
        Whether the sum is normalised, and whether a bias is added to it.
    only
        Chips that have a partial sum, None for all.
    """
    shard = task.shard_sizes()
    operators: list[ShardedOperator] = [
        Exchange("scatter", Pattern.SCATTER, task.shard_bytes(), teams, only),
        # The operands are the partial sums, the residual and a bias.
        vector(
            task,
            "reduce",
            shard,
            operations=summands + biased,
            operands=summands + 1 + biased,
        ),
    ]
    if post_norm:
        sums_bytes = task.norm_sum_bytes * task.tokens
        squares = np.full(task.tensor, sums_bytes, dtype=np.int64)
        operators += [
            Exchange("post_norm", Pattern.GATHER, squares, whole_group(task)),
            vector(task, "post_scale", shard, operations=3, operands=3),
        ]
    return operators
