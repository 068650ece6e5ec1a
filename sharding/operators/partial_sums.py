"""Partial sums of a block's output: from a sum's parts back to the residual shards."""

from typing import NamedTuple

import numpy as np

from chip.dataflow import Function
from sharding.operators.operands import RESIDUAL, Operand, Operation, operand, shards
from sharding.operators.operator_builders import vector
from sharding.operators.operators import Exchange, Pattern, ShardedOperator
from sharding.operators.residual_stream import whole_group
from sharding.parallelism.tensor_group import Range
from sharding.weights.blocks import Block
from sharding.weights.task import Task
from specs.arrays import Ints


class PartialSum(NamedTuple):
    """Partial sums of a block's output, one on each chip that has a part.

    Attributes
    ----------
    block
        The block.
    at
        Its name.
    parts
        Columns of the last product's input that each chip multiplies.
    whole
        Ranges of those that all chips of the block multiply.
    bias
        Name of the bias of the product, if it has one.
    choice
        Weights of the experts on each chip, by which each adds its own bias; empty in a
        dense block.
    """

    block: Block
    at: str
    parts: Range
    whole: tuple[tuple[int, int], ...]
    bias: str
    choice: tuple[Operand, ...] = ()

    def accumulated(self, task: Task, place: int) -> Operand:
        """Return each chip's shard of the sum of the module's parts before `place`."""
        kind = "sum" if task.model.normalises_outputs else "output"
        block = self.block._replace(first=0, last=place)
        _, columns = block.range_of(task.model.intermediate_size)
        shard = task.group.shards(task.model.hidden_size)
        return operand(f"{self.at}.{kind}@{place}", *shard, 0, columns)


def reduced_output(
    task: Task,
    partial: PartialSum,
    *,
    teams: Ints,
    summands: int,
    biased: bool = False,
) -> list[ShardedOperator]:
    """Return the sharded operators from partial sums back to residual shards.

    Parameters
    ----------
    task
        The task.
    partial
        The partial sums. The last part of a module adds the bias, and normalises the
        sum in models that do so.
    teams
        Exchange group of each chip, shape ``(width,)``. Chips of one group have
        partial sums of the same shards.
    summands
        Partial sums of each shard.
    biased
        Whether a bias is added to the sum.
    """
    shard = task.group.shards(task.model.hidden_size)
    at = partial.at
    # Chips outside an alternating group have none, nor do chips beyond the columns.
    contributes = partial.parts.sizes > 0
    biased = biased and partial.block.closes
    post_norm = task.model.normalises_outputs and partial.block.closes
    # A bias of an expert is multiplied by the expert's weight before it is added.
    biases = biased * (task.model.experts_per_token if partial.choice else 1)
    operators: list[ShardedOperator] = [
        Exchange(
            "scatter",
            Pattern.SCATTER,
            task.shard_bytes(),
            teams,
            None if contributes.all() else contributes,
            lambda: (shards(f"{at}.partial", *shard, *partial.parts),),
        ),
        # The operands are the partial sums, the residual and a bias.
        vector(
            task,
            "reduce",
            shard.sizes,
            operations=summands + biases * (2 if partial.choice else 1),
            operands=summands + 1 + biases,
            computes=lambda: (_reducing(task, partial, biased),),
        ),
    ]
    if post_norm:
        sums_bytes = task.norm_sum_bytes * task.tokens
        squares = np.full(task.tensor, sums_bytes, dtype=np.int64)
        ones = np.ones(task.tensor, dtype=np.int64)
        operators += [
            Exchange(
                "post_norm",
                Pattern.GATHER,
                squares,
                whole_group(task),
                carries=lambda: (operand(f"{at}.sum_squares", 0, ones, *shard),),
            ),
            vector(
                task,
                "post_scale",
                shard.sizes,
                operations=3,
                operands=3,
                computes=lambda: (_adding_normed(task, at),),
            ),
        ]
    return operators


def _reducing(task: Task, partial: PartialSum, biased: bool) -> Operation:
    """Return the operation that adds the partial sums of each chip's shard."""
    model, at, block = task.model, partial.at, partial.block
    shard = task.group.shards(model.hidden_size)
    reads = [operand(f"{at}.partial", *shard, *parts) for parts in partial.whole]
    if not block.opens:
        reads.append(partial.accumulated(task, block.first))
    elif not model.normalises_outputs:
        # An encoder adds a block's output to its normed input.
        encoder = model.structure.encoder
        reads.append(operand(f"{at}.input" if encoder else RESIDUAL, *shard))
    if biased and partial.choice:
        rows = 0 * shard.end + model.experts
        reads.append(operand(f"{at}.{partial.bias}", 0, rows, *shard))
        reads += partial.choice
    elif biased:
        reads.append(operand(f"{at}.{partial.bias}", *shard))
    made: tuple[Operand, ...]
    if not block.closes:
        made = (partial.accumulated(task, block.last),)
    elif model.normalises_outputs:
        ones = np.ones(task.tensor, dtype=np.int64)
        squares = operand(f"{at}.sum_squares", 0, ones, *shard)
        made = (operand(f"{at}.sum", *shard), squares)
    else:
        made = (operand(f"{at}.output", *shard),)
    return Operation(f"{at}.reduce", Function.ADD, tuple(reads), made)


def _adding_normed(task: Task, at: str) -> Operation:
    """Return the operation that adds the normed sum of a block to the residual."""
    hidden = task.model.hidden_size
    shard = task.group.shards(hidden)
    ones = np.ones(task.tensor, dtype=np.int64)
    reads = (
        operand(f"{at}.sum", *shard),
        operand(f"{at}.sum_squares", 0, ones, 0, hidden),
        operand(f"{at}.post_norm.weight", *shard),
        operand(RESIDUAL, *shard),
    )
    made = (operand(f"{at}.output", *shard),)
    return Operation(f"{at}.post_scale", Function.NORM_ADD, reads, made)
