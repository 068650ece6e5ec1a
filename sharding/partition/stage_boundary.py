"""What passes from stage to stage: shards, what a cut block has so far, the token."""

from collections.abc import Sequence

import numpy as np

from sharding.operators.operands import Operand, operand
from sharding.partition.attention_cuts import AttentionCuts, LatentCuts
from sharding.partition.block_partition import BlockPartition
from sharding.partition.embedding import TOKENS, embedded
from sharding.partition.head import CANDIDATE_BYTES, candidates
from sharding.partition.norms import router_scores, weighed_shard
from sharding.partition.partial_sums import accumulated
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task, bytes_of
from specs.arrays import Ints
from workloads.operators import (
    LAYER,
    LAYER_INPUT,
    RESIDUAL,
    Function,
    multiplies_residual,
)

_TOKEN_BYTES = 4
# Functions whose operands enter the KV cache.
_CACHING = (Function.SCORES, Function.VALUES)


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
        # A block beside the one before needs the input of both.
        return (1 + _is_parallel(part)) * shard_bytes
    if multiplies_residual(part.operators[0]):
        # The residual is the input as well.
        return 2 * shard_bytes
    if into.kind is BlockKind.FEED_FORWARD:
        shards = 1 + _adds_afterwards(part)
        return shards * shard_bytes + part.normed_shard_bytes(part.router_bytes)
    if into.kind is BlockKind.HEAD:
        return part.normed_shard_bytes(CANDIDATE_BYTES)
    return shard_bytes + _TOKEN_BYTES * task.tokens


def _is_parallel(part: BlockPartition) -> bool:
    """Return whether a block takes the same input as the block before it."""
    return any(LAYER_INPUT in operator.inputs for operator in part.operators)


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
        both = (residual, operand(LAYER_INPUT, *part.shard))
        return both if _is_parallel(part) else both[:1]
    if into.kind is BlockKind.HEAD:
        return (*weighed_shard(part), candidates(part, into.first))
    if into.kind is BlockKind.EMBEDDING:
        return (embedded(part, into.first), operand(TOKENS, 0, part.ones))
    if multiplies_residual(part.operators[0]):
        return (residual, accumulated(part, into.first))
    sums = (
        accumulated(part, into.first),
        *weighed_shard(part),
        *router_scores(part),
    )
    return (residual, *sums) if _adds_afterwards(part) else sums


def mirrored_bytes(task: Task, blocks: Sequence[Block]) -> Ints:
    """Return the bytes of the new keys and values that last operators pass to a mirror.

    They are sent as activations, whatever the format of the KV cache.

    Parameters
    ----------
    task, blocks
        The task, and the blocks of the stage whose KV cache is mirrored.

    Returns
    -------
    NDArray
        Bytes of each chip of the group, shape ``(width,)``.
    """
    total = np.zeros(task.tensor, dtype=np.int64)
    for each in mirrored_operands(task, blocks):
        elements = (each.last - each.first) * task.tokens
        total[each.member] += bytes_of(task.activation_format, elements)
    return total


def mirrored_operands(task: Task, blocks: Sequence[Block]) -> tuple[Operand, ...]:
    """Return the new keys and values that last operators pass to a mirror.

    Parameters are those of `mirrored_bytes`.
    """
    made = []
    for block in blocks:
        part = BlockPartition(task, block)
        if not part.attends or part.is_linear:
            continue
        latents = LatentCuts(part)
        # A chip has the latents of all its heads once.
        functions = (Function.SCORES,) if part.has_latents else _CACHING
        kept = (
            latents.whole(latents.sizes.cached_size)
            if part.has_latents
            else AttentionCuts(part).whole_key
        )
        for function in functions:
            operator = part.find(function)
            assert operator is not None
            name = operator.inputs[1].replace(LAYER, str(block.layer))
            made.append(operand(name, *kept))
    return tuple(made)


def token_bytes(task: Task) -> int:
    """Return the bytes that the last operators return as tokens to the first stage."""
    return _TOKEN_BYTES * task.answering().tokens
