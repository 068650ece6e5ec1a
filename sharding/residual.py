"""Between the shards of the residual stream and the whole vector on each chip."""

import numpy as np

from sharding.operation import Exchange, Operator, Pattern
from sharding.slices import Ints, shard_sizes
from sharding.task import Task
from sharding.work import vector


def one_team(task: Task) -> Ints:
    """Return the teams of an exchange among all chips of the group."""
    return np.zeros(task.tensor, dtype=np.int64)


def normed_input(task: Task, *, opens: bool, extra_bytes: int = 0) -> list[Operator]:
    """Return the way from residual shards to the whole normed vector on each chip."""
    shard = shard_sizes(task.model.hidden_size, task.tensor)
    whole = np.full(task.tensor, task.model.hidden_size, dtype=np.int64)
    shard_bytes = task.normed_shard_bytes(extra_bytes)
    # Beside what comes next, a router or the choice of experts reads them.
    readers = 2 if extra_bytes else 1
    operators: list[Operator] = []
    if opens:
        # Square, sum, and weigh: one chain over the shard.
        norm = vector(task, "norm", shard, operations=3, operands=2, readers=readers)
        operators.append(norm)
    return [
        *operators,
        Exchange("gather", Pattern.GATHER, shard_bytes, one_team(task)),
        # The root mean square is known only now.
        vector(task, "scale", whole, operations=2, readers=readers),
    ]


def reduced_output(
    task: Task, *, post_norm: bool, biased: bool = False
) -> list[Operator]:
    """Return the way from partial sums on each chip back to the residual shards."""
    shard = shard_sizes(task.model.hidden_size, task.tensor)
    operators: list[Operator] = [
        Exchange("scatter", Pattern.SCATTER, task.shard_bytes(), one_team(task)),
        # Partial sums, the residual and a bias.
        vector(
            task,
            "reduce",
            shard,
            operations=task.tensor + biased,
            operands=task.tensor + 1 + biased,
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
