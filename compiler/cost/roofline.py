"""Roofline bound: the least latency of a token, in closed form.

* Every stage multiplies its weights and its share of the KV cache in rounds of tiles,
  of which its weight buffers may hold some ahead of each product.
* Every block of a split layer has an all-gather and a reduce-scatter. Each takes at
  least one vector over one link, and may hide what a chip multiplies of its own shard.
* Every stage boundary has a stage transfer, and the token of a language model returns.
"""

from collections.abc import Sequence

import numpy as np

from compiler.cost.link_timing import hop_cycles, vectors_of
from sharding.operators.operators import Compute, ShardedOperator, Unit
from sharding.partition.block_operators import block_operators, block_overlaps
from sharding.partition.stage_boundary import carried_bytes
from sharding.planner.plan import ShardingPlan, Stage
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from specs.arrays import Ints


def lower_bound_cycles(plan: ShardingPlan) -> int:
    """Return the closed-form roofline cost of one decode token: its least cycles."""
    machine = plan.task.machine
    # All replicas are equal; a token passes through one of them.
    stages = plan.replicas[0].stages
    known: dict[Block, Ints] = {}
    bound = sum(_busiest(plan.task, stage, known) for stage in stages)
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


def feed_cycles(plans: Sequence[ShardingPlan]) -> list[int]:
    """Return the least closed-form cycles of each stage's busiest matrix unit.

    It takes all rounds of tiles of its products, and loads those ahead that it may.

    Parameters
    ----------
    plans
        Plans of the passes of a replica, one after the other, which differ in nothing
        but their positions.
    """
    # Passes that answer nothing may end before the last stages.
    cycles = [0] * max(len(plan.stages) for plan in plans)
    alike: dict[tuple[int, int], dict[Block, Ints]] = {}
    for plan in plans:
        # All but attention takes as long whatever is attended to.
        positions = plan.task.query_tokens, plan.task.answer_tokens
        known = alike.get(positions, {})
        for number, stage in enumerate(plan.stages):
            cycles[number] += _busiest(plan.task, stage, known)
        alike[positions] = {
            block: busy
            for block, busy in known.items()
            if block.kind is not BlockKind.ATTENTION
        }
    return cycles


def _busiest(task: Task, stage: Stage, known: dict[Block, Ints]) -> int:
    """Return the least cycles of a stage's busiest matrix unit.

    What blocks take that are alike is known from stages before it, or becomes known.
    """
    busy = 0 * stage.chips
    for block in stage.blocks:
        like = task.like(block)
        if like not in known:
            known[like] = np.min(
                [
                    _busy_cycles(task, block_operators(task, like, overlap))
                    for overlap in block_overlaps(task, like)
                ],
                axis=0,
            )
        busy = busy + known[like]
    return int(busy.max())


def _busy_cycles(task: Task, operators: list[ShardedOperator]) -> Ints:
    """Return the least cycles of each chip's matrix unit beside no hop.

    What runs beside an exchange is hidden as long as a hop takes.
    """
    hop = hop_cycles(task.machine, 1)
    busy = np.zeros(task.tensor, dtype=np.int64)
    for step in operators:
        if isinstance(step, Compute):
            busy += _multiplying(task, step)
        elif step.beside is not None:
            busy += np.maximum(_multiplying(task, step.beside) - hop, 0)
    return busy


def _multiplying(task: Task, step: Compute) -> Ints:
    """Return the least cycles of a product on each chip without fill."""
    if step.unit is not Unit.MATMUL:
        return 0 * step.cycles
    fill = task.machine.chip.matmul_fill_cycles
    return np.where(step.least_cycles > 0, step.least_cycles - fill, 0)
