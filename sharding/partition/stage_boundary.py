"""What passes from stage to stage: shards, what a cut block has so far, the token."""

from sharding.operators.operands import Operand, operand
from sharding.partition.block_partition import BlockPartition
from sharding.partition.embedding import TOKENS, embedded
from sharding.partition.head import CANDIDATE_BYTES, candidates
from sharding.partition.norms import router_scores, weighed_shard
from sharding.partition.partial_sums import accumulated
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from specs.arrays import Ints
from workloads.operators import RESIDUAL, Function

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
    part = BlockPartition(task, into)
    shard_bytes = part.task.shard_bytes()
    if into.opens:
        return shard_bytes
    if into.kind is BlockKind.FEED_FORWARD:
        shards = 1 + _adds_afterwards(part)
        return shards * shard_bytes + part.normed_shard_bytes(part.router_bytes)
    if into.kind is BlockKind.HEAD:
        return part.normed_shard_bytes(CANDIDATE_BYTES)
    return shard_bytes + _TOKEN_BYTES * task.tokens


def _adds_afterwards(part: BlockPartition) -> bool:
    """Return whether a block's output is added to the residual once it is normalised.

    Then a stage that goes on within the block needs the residual, too.
    """
    return part.find(Function.NORM_ADD) is not None


def carried_operands(task: Task, into: Block) -> tuple[Operand, ...]:
    """Return what a stage's last operators pass from each chip to a partner.

    Parameters are those of `carried_bytes`.
    """
    part = BlockPartition(task, into)
    residual = operand(RESIDUAL, *part.shard)
    if into.opens:
        return (residual,)
    if into.kind is BlockKind.HEAD:
        return (*weighed_shard(part), candidates(part, into.first))
    if into.kind is BlockKind.EMBEDDING:
        return (embedded(part, into.first), operand(TOKENS, 0, part.ones))
    sums = (
        accumulated(part, into.first),
        *weighed_shard(part),
        *router_scores(part),
    )
    return (residual, *sums) if _adds_afterwards(part) else sums


def token_bytes(task: Task) -> int:
    """Return the bytes that the last operators return as tokens to the first stage."""
    return _TOKEN_BYTES * task.answering().tokens
