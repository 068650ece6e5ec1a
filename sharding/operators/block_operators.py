"""The operators of a block in order, and the bytes between stages.

Each chip of a tensor group keeps a shard of the residual stream. A block multiplies its
shard by the norm's weights, all-gathers the shards with their sums of squares,
computes, and reduce-scatters the partial results onto the shards: the two halves of an
all-reduce with the block's work between them. A stage transfer sends only the shard.
"""

import numpy as np

from chip.operator_work import LookupWork
from sharding.operators.attention import attention
from sharding.operators.feed_forward import feed_forward
from sharding.operators.operator_builders import matrix_product, vector
from sharding.operators.operators import (
    Exchange,
    Pattern,
    ShardedOperator,
    Unit,
    compute,
)
from sharding.operators.residual_stream import normed_input, whole_group
from sharding.parallelism.ranges import bounds
from sharding.transformer.blocks import Block, BlockKind
from sharding.transformer.task import Task, bytes_of
from specs.arrays import Ints

# A candidate for the next token is its logit and its number.
_CANDIDATE_BYTES = 8
_TOKEN_BYTES = 4


def carried_bytes(task: Task, into: Block) -> Ints:
    """Return the bytes that a stage's last operators pass from each chip to a partner.

    Parameters
    ----------
    task
        The task.
    into
        First block of the next stage. Within a feed-forward or head, the normed input
        is transferred too, with what has been accumulated so far.

    Returns
    -------
    NDArray
        Bytes of each chip of the group, shape ``(width,)``.
    """
    if into.opens:
        ends = into.kind is BlockKind.HEAD
        return (task.answering() if ends else task).shard_bytes()
    if into.kind is BlockKind.FEED_FORWARD:
        return task.shard_bytes() + task.normed_shard_bytes(task.router_bytes())
    if into.kind is BlockKind.HEAD:
        return task.answering().normed_shard_bytes(_CANDIDATE_BYTES)
    return task.shard_bytes() + _TOKEN_BYTES * task.tokens


def token_bytes(task: Task) -> int:
    """Return the bytes that the last operators return as tokens to the first stage."""
    return _TOKEN_BYTES * task.answering().tokens


def block_operators(task: Task, block: Block) -> list[ShardedOperator]:
    """Return the sharded operators of `block` in order."""
    if block.kind is BlockKind.ATTENTION:
        return attention(task, block)
    if block.kind is BlockKind.FEED_FORWARD:
        return feed_forward(task, block)
    if block.kind is BlockKind.HEAD:
        pools = task.model.structure.encoder
        return _pooler(task, block) if pools else _head(task.answering(), block)
    return _embedding(task, block)


def _embedding(task: Task, block: Block) -> list[ShardedOperator]:
    """Return the lookup of tokens, and the sum with positions and token types."""
    model = task.model
    shard = task.shard_sizes() * task.tokens
    # A row of the vocabulary and, in the first part, one of each other table.
    added = block.opens * ((model.position_rows > 0) + (model.token_types > 0))
    row_bytes = bytes_of(task.machine.formats.weights, shard * (1 + added))
    chip = task.machine.chip
    operators: list[ShardedOperator] = [
        compute("embed", Unit.LOOKUP, chip, LookupWork, row_bytes)
    ]
    if added:
        part = task.shard_sizes()
        operators.append(
            vector(
                task, "add_position", part, operations=added, operands=1 + int(added)
            )
        )
    return operators


def _head(task: Task, block: Block) -> list[ShardedOperator]:
    """Return the operators of a decoder's head, up to the choice of the token."""
    model = task.model
    low, high = block.range_of(model.vocabulary_size)
    rows = np.diff(bounds(high - low, task.tensor))
    operators = normed_input(task, opens=block.opens)
    operators += [
        matrix_product(task, "logits", rows * model.hidden_size),
        vector(task, "candidate", rows, operations=2, passes=2),
    ]
    if block.closes:
        one = np.zeros(task.tensor, dtype=np.int64)
        one[0] = task.tensor
        candidate_bytes = np.full(
            task.tensor, _CANDIDATE_BYTES * task.tokens, dtype=np.int64
        )
        operators += [
            Exchange(
                "candidates", Pattern.TO_LEADER, candidate_bytes, whole_group(task)
            ),
            vector(task, "sample", one, operations=4, passes=2),
        ]
    return operators


def _pooler(task: Task, block: Block) -> list[ShardedOperator]:
    """Return the operators of an encoder's head: norm of all states, pool of one."""
    model = task.model
    shard = task.shard_sizes()
    low, high = block.range_of(model.head_rows)
    rows = np.diff(bounds(high - low, task.tensor))
    first_bytes = bytes_of(task.activation_format, shard * task.batch)
    # Each chip keeps its shard of the states; only the first position is all-gathered.
    pooled_bytes = bytes_of(task.activation_format, rows * task.batch)
    one_each = task._replace(context=1)
    whole = np.full(task.tensor, model.hidden_size, dtype=np.int64)
    return [
        vector(task, "norm", shard, operations=3),
        Exchange(
            "gather",
            Pattern.GATHER,
            first_bytes + task.norm_sum_bytes * task.tokens,
            whole_group(task),
        ),
        vector(task, "scale", shard, operations=2),
        vector(one_each, "scale_first", whole, operations=2),
        matrix_product(one_each, "pool", rows * model.hidden_size),
        # Bias and hyperbolic tangent.
        vector(one_each, "activate", rows, operations=7),
        Exchange("pooled", Pattern.TO_LEADER, pooled_bytes, whole_group(task)),
    ]
