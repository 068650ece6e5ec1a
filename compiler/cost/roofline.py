"""Roofline bound: the least latency of a token, in closed form.

* Every stage multiplies its weights and its share of the KV cache in rounds of tiles,
  of which its weight buffers may hold some ahead of each product.
* Every block of a split layer has an all-gather and a reduce-scatter. Each takes at
  least one vector over one link.
* Every stage boundary has a stage transfer, and the token of a language model returns.
"""

import numpy as np

from compiler.cost.link_timing import hop_cycles, vectors_of
from sharding.operators.operators import Compute, Unit
from sharding.partition.block_operators import block_operators
from sharding.partition.stage_boundary import carried_bytes
from sharding.planner.plan import ShardingPlan, Stage
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task


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
    """Return the least cycles of the busiest matrix unit of a stage.

    It takes all rounds of tiles of its products, and loads those ahead that it may.
    """
    fill = task.machine.chip.matmul_fill_cycles
    busy, known = 0 * stage.chips, {}
    for block in stage.blocks:
        like = task.like(block)
        if like not in known:
            known[like] = sum(
                (
                    np.where(step.least_cycles > 0, step.least_cycles - fill, 0)
                    for step in block_operators(task, like)
                    if isinstance(step, Compute) and step.unit is Unit.MATMUL
                ),
                0 * stage.chips,
            )
        busy = busy + known[like]
    return int(busy.max())
