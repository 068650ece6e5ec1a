"""Between the shards of the residual stream and the whole vector on each chip."""

import numpy as np
from numpy.typing import NDArray

from sharding.operators.operator_builders import vector
from sharding.operators.operators import Exchange, Pattern, ShardedOperator
from sharding.transformer.task import Task
from specs.arrays import Ints


def one_team(task: Task) -> Ints:
    """Return the teams of an exchange among all chips of the group."""
    return np.zeros(task.tensor, dtype=np.int64)


def gathered_input(
    task: Task,
    *,
    opens: bool,
    teams: Ints,
    extra_bytes: int = 0,
    only: NDArray[np.bool_] | None = None,
) -> list[ShardedOperator]:
    """Return the way from residual shards to weighed input that is not yet scaled."""
    operators: list[ShardedOperator] = []
    if opens:
        # Square, sum, and weigh: one chain over the shard.
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
    """Return the way from residual shards to the whole normed vector.

    On each chip, or on those alone that `only` names.
    """
    hidden = task.model.hidden_size
    whole = np.full(task.tensor, hidden) if only is None else only * hidden
    return [
        *gathered_input(
            task, opens=opens, teams=one_team(task), extra_bytes=extra_bytes, only=only
        ),
        # The root mean square is known only now.
        vector(task, "scale", whole, operations=2, readers=_readers(extra_bytes)),
    ]


def _readers(extra_bytes: int) -> int:
    # Beside what comes next, a router or the choice of experts reads what it needs.
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
    """Return the way from partial sums back to the residual shards.

    Parameters
    ----------
    task
        The job.
    teams
        Whose partial sums are of the same shards, shape ``(width,)``.
    summands
        Partial sums of each shard.
    post_norm, biased
        Whether the sum is normalised, and whether a bias is added to it.
    only
        Which chips have a partial sum, None if all.
    """
    shard = task.shard_sizes()
    operators: list[ShardedOperator] = [
        Exchange("scatter", Pattern.SCATTER, task.shard_bytes(), teams, only),
        # Partial sums, the residual and a bias.
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
            Exchange("post_norm", Pattern.GATHER, squares, one_team(task)),
            vector(task, "post_scale", shard, operations=3, operands=3),
        ]
    return operators
