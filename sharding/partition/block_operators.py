"""The operators of a block in order: those of its graph, cut over a tensor group.

Each chip of a tensor group keeps a shard of the residual stream. A block multiplies its
shard by the norm's weights, all-gathers the shards with their sums of squares,
computes, and reduce-scatters the partial results onto the shards: the two halves of an
all-reduce with the block's work between them.
"""

from collections.abc import Callable, Mapping

from sharding.operators.operators import ShardedOperator
from sharding.parallelism.overlap import NO_OVERLAP, Overlap
from sharding.partition.attention import attend, gate_output, score, soften
from sharding.partition.block_partition import BlockPartition
from sharding.partition.embedding import (
    add_tables,
    look_up,
    scale_rows,
    weigh_rows,
)
from sharding.partition.expert_routing import choose_experts, score_experts
from sharding.partition.feed_forward import activate
from sharding.partition.head import choose_candidate, sample
from sharding.partition.heads import norm_heads, place_heads, scale_heads
from sharding.partition.latent.forms import attend_latents, score_latents
from sharding.partition.latent.projections import (
    multiply_latents,
    norm_latents,
    place_latents,
)
from sharding.partition.linear.projections import convolve, decays, norm_units
from sharding.partition.linear.recurrence import gate_normed, update_states
from sharding.partition.norms import gather_residual, scale, weigh
from sharding.partition.partial_sums import add, add_normed
from sharding.partition.pooling import activate_pooled, scale_states, weigh_states
from sharding.partition.products import multiply
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from workloads.operators import Function, GraphOperator

Rule = Callable[[BlockPartition, GraphOperator], list[ShardedOperator]]
# How each function of a graph is cut.
_RULES: Mapping[Function, Rule] = {
    Function.EMBED: look_up,
    Function.ADD_TABLES: add_tables,
    Function.NORM_WEIGH: weigh,
    Function.NORM_SCALE: scale,
    Function.NORM_ADD: add_normed,
    Function.PRODUCT: multiply,
    Function.HEAD_NORM: norm_heads,
    Function.HEAD_SCALE: scale_heads,
    Function.POSITION: place_heads,
    Function.SCORES: score,
    Function.SOFTMAX: soften,
    Function.VALUES: attend,
    Function.OUTPUT_GATE: gate_output,
    Function.CONVOLVE: convolve,
    Function.UNIT_NORM: norm_units,
    Function.DECAY: decays,
    Function.DELTA_RULE: update_states,
    Function.GATED_NORM: gate_normed,
    Function.ADD: add,
    Function.ROUTER: score_experts,
    Function.CHOOSE: choose_experts,
    Function.ACTIVATE: activate,
    Function.CANDIDATE: choose_candidate,
    Function.SAMPLE: sample,
}
# What is different in latent attention.
_LATENT: Mapping[Function, Rule] = {
    Function.LATENT_NORM: norm_latents,
    Function.PRODUCT: multiply_latents,
    Function.POSITION: place_latents,
    Function.SCORES: score_latents,
    Function.VALUES: attend_latents,
}
# What is different in an embedding whose rows are normalised.
_EMBEDDING: Mapping[Function, Rule] = {
    Function.NORM_WEIGH: weigh_rows,
    Function.NORM_SCALE: scale_rows,
}
# What is different in the head of an encoder.
_POOLING: Mapping[Function, Rule] = {
    Function.NORM_WEIGH: weigh_states,
    Function.NORM_SCALE: scale_states,
    Function.ACTIVATE: activate_pooled,
}


def block_operators(
    task: Task, block: Block, overlap: Overlap = NO_OVERLAP
) -> list[ShardedOperator]:
    """Return the sharded operators of `block` in order.

    Parameters
    ----------
    task
        The task, with its tensor group.
    block
        A block of the model, or a part of one.
    overlap
        Which of its exchanges run beside products, one of `block_overlaps`.
    """
    part = BlockPartition(task, block, overlap)
    rules = _RULES
    if part.pools:
        rules = {**_RULES, **_POOLING}
    elif block.kind is BlockKind.EMBEDDING:
        rules = {**_RULES, **_EMBEDDING}
    elif part.has_latents:
        rules = {**_RULES, **_LATENT}
    return [
        sharded
        for operator in part.operators
        for sharded in (
            *gather_residual(part, operator),
            *rules[operator.function](part, operator),
        )
    ]


def block_overlaps(task: Task, block: Block) -> tuple[Overlap, ...]:
    """Return the ways in which the exchanges of `block` may overlap with its products.

    The first is without. Parameters are those of `block_operators`.
    """
    if not task.machine.compiler.overlap:
        return (NO_OVERLAP,)
    most = BlockPartition(task, block).overlaps
    return tuple(
        Overlap(gather, scatter)
        for gather in ((False, True) if most.gather else (False,))
        for scatter in ((False, True) if most.scatter else (False,))
    )
