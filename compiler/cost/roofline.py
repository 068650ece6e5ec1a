"""Roofline bound: the least latency of a token, in closed form.

* Every stage feeds its weights and its share of the KV cache to the matrix unit, except
  for what its weight buffers may hold ahead of each product, and multiplies all.
* Every block of a split layer has an all-gather and a reduce-scatter. Each takes at
  least one vector over one link.
* Every stage boundary has a stage transfer, and the token of a language model returns.
"""

import numpy as np

from compiler.cost.link_timing import hop_cycles, vectors_of
from sharding.partition.stage_boundary import carried_bytes
from sharding.planner.plan import ShardingPlan, Stage
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import FP32_BYTES, Task
from sharding.weights.weight_slices import block_slices
from specs.arrays import Ints
from specs.units import ceil_div


def lower_bound_cycles(plan: ShardingPlan) -> int:
    """Return the closed-form roofline cost of one decode token: its least cycles."""
    machine = plan.task.machine
    # All replicas are equal; a token passes through one of them.
    stages = plan.replicas[0].stages
    bound = sum(feed_cycles(plan.task, stage) for stage in stages)
    if plan.strategy.tensor > 1:
        exchanges = sum(_exchanges(block) for stage in stages for block in stage.blocks)
        bound += exchanges * hop_cycles(machine, 1)
    for stage in stages[1:]:
        size = int(carried_bytes(plan.task, stage.blocks[0]).max())
        bound += hop_cycles(machine, vectors_of(machine, size))
    if plan.strategy.replica_chips > 1 and not plan.task.model.structure.encoder:
        bound += hop_cycles(machine, 1)
    return bound


def _exchanges(block: Block) -> int:
    """Return the number of exchanges that a tensor group needs for `block`."""
    if block.kind is BlockKind.EMBEDDING:
        return 0
    # A head has an all-gather; only its last part sends candidates to the leader.
    return 1 if block.kind is BlockKind.HEAD and not block.closes else 2


def feed_cycles(task: Task, stage: Stage) -> int:
    """Return the closed-form feed cost of a stage: least cycles of its busiest chip."""
    chip = task.machine.chip
    fed, multiplied = 0 * stage.chips, 0 * stage.chips
    for block in stage.blocks:
        whole = _fed_bytes(task, block)
        ahead = _preloads(task, block) * chip.mxm_buffer_bytes * chip.prefetch
        fed += np.maximum(whole - ahead, 0)
        multiplied += whole
    return max(
        ceil_div(int(fed.max()), chip.weight_feed_bytes_per_cycle),
        # A weight takes at most four bytes.
        ceil_div(int(multiplied.max()), FP32_BYTES * chip.mxm_int8_macs_per_cycle),
    )


def _preloads(task: Task, block: Block) -> int:
    """Return how many products of `block` may have weights loaded ahead."""
    if block.kind is BlockKind.ATTENTION:
        return 4
    if block.kind is BlockKind.FEED_FORWARD:
        # The router is known in advance; the experts that it selects are not.
        return 2 if task.model.experts == 1 else 1
    return int(block.kind is BlockKind.HEAD)


def _fed_bytes(task: Task, block: Block) -> Ints:
    """Return the bytes that each chip must feed to its matrix unit for `block`.

    The embedding is looked up and norms are vector operands: neither is fed. Of several
    experts only the selected ones are fed; they all have the same size.
    """
    model, formats = task.model, task.machine.formats
    width_bytes = task.operand_bytes(formats.weights)
    fed = np.zeros(task.tensor, dtype=np.int64)
    if block.kind is BlockKind.EMBEDDING:
        return fed
    for tensor in block_slices(model, block, task.group):
        if tensor.multiplied:
            fed += tensor.elements * width_bytes
    if block.kind is BlockKind.FEED_FORWARD:
        fed = fed * model.experts_per_token // model.experts
    if block.kind is BlockKind.ATTENTION:
        heads = task.group.heads(model.kv_heads, block.layer)
        positions = -(-task.cached_tokens(block) // heads.members)
        # Keys for the scores, then values.
        cached = 2 * heads.heads * model.head_dim * positions * task.batch
        fed += cached * task.operand_bytes(task.cached_format)
    return fed
