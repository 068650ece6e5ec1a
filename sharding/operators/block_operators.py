"""The operators of a block in order, and the bytes between stages.

Each chip of a tensor group keeps a shard of the residual stream. A block multiplies its
shard by the norm's weights, all-gathers the shards with their sums of squares,
computes, and reduce-scatters the partial results onto the shards: the two halves of an
all-reduce with the block's work between them. A stage transfer sends only the shard.
"""

from sharding.operators.attention import attention
from sharding.operators.embedding import TOKENS, embedded, embedding
from sharding.operators.feed_forward import feed_forward, feed_forward_carried
from sharding.operators.head import CANDIDATE_BYTES, HEAD, candidates, head, pooler
from sharding.operators.operands import RESIDUAL, Operand, operand
from sharding.operators.operators import ShardedOperator
from sharding.operators.residual_stream import normed_shard
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from specs.arrays import Ints

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
        # A model that normalises the block's output adds it to the residual afterwards.
        shards = 1 + task.model.normalises_outputs
        return shards * task.shard_bytes() + task.normed_shard_bytes(
            task.router_bytes()
        )
    if into.kind is BlockKind.HEAD:
        return task.answering().normed_shard_bytes(CANDIDATE_BYTES)
    return task.shard_bytes() + _TOKEN_BYTES * task.tokens


def carried_operands(task: Task, into: Block) -> tuple[Operand, ...]:
    """Return what a stage's last operators pass from each chip to a partner.

    Parameters are those of `carried_bytes`.
    """
    shard = task.group.shards(task.model.hidden_size)
    if into.opens:
        return (operand(RESIDUAL, *shard),)
    if into.kind is BlockKind.FEED_FORWARD:
        return feed_forward_carried(task, into)
    if into.kind is BlockKind.HEAD:
        return (*normed_shard(task, HEAD), candidates(task, into, into.first))
    tokens = operand(TOKENS, 0, 0 * shard.end + 1)
    return (embedded(task, into, into.first), tokens)


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
        return pooler(task, block) if pools else head(task.answering(), block)
    return embedding(task, block)
