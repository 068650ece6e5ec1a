"""The walk of a token: blocks, stage transfers and token return, in order.

What schedules a token and what bounds it from below are the same walk, with another
cost at each step.
"""

from typing import Protocol

import numpy as np

from compiler.ir.entry_dataflow import Scope
from compiler.ir.messages import MessageTable
from sharding.partition.stage_boundary import (
    carried_bytes,
    token_bytes,
)
from sharding.planner.plan import ShardingPlan, Stage
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task


class TokenSteps(Protocol):
    """What is done at each step of a walk."""

    def block(self, stage: Stage, block: Block) -> None:
        """Do the operators and exchanges of a block."""

    def stage_transfer(self, stage: Stage, following: Stage) -> None:
        """Send what the last block of a stage made to the next stage."""

    def token_return(self, stage: Stage) -> None:
        """Send the token from the last stage to the first."""


def walk_token(plan: ShardingPlan, steps: TokenSteps) -> None:
    """Walk through a token of one replica, to schedule it or to bound it."""
    for stage in plan.stages:
        for block in stage.blocks:
            steps.block(stage, block)
        if stage.index + 1 == len(plan.stages):
            steps.token_return(stage)
        else:
            steps.stage_transfer(stage, plan.stages[stage.index + 1])


def stage_transfer(plan: ShardingPlan, stage: Stage, following: Stage) -> MessageTable:
    """Return the messages to schedule for a stage transfer: each member sends a shard.

    Member *i* of `stage` sends to member *i* of `following`.
    """
    sizes = carried_bytes(plan.task, following.blocks[0])
    return MessageTable(stage.chips, following.chips, sizes)


def token_return(plan: ShardingPlan) -> MessageTable:
    """Return the messages to schedule that carry the token back to the first stage.

    The first chip of the last stage sends them. An encoder chooses no token, so that
    its pass ends where the last stage does.
    """
    if plan.task.model.structure.encoder or not plan.task.answer_tokens:
        return MessageTable.of([])
    leader = int(plan.stages[-1].chips[0])
    size = token_bytes(plan.task)
    targets = plan.stages[0].chips[plan.stages[0].chips != leader]
    return MessageTable(
        np.full(len(targets), leader, dtype=np.int64),
        targets,
        np.full(len(targets), size, dtype=np.int64),
    )


def block_scope(task: Task, block: Block, number: int, *, received: bool) -> Scope:
    """Return the scope to schedule a block in: which tensors its names stand for.

    Parameters
    ----------
    task, block
        The task and the block.
    number
        Number of the pass.
    received
        Whether it is the first block of its stage.
    """
    before = {
        BlockKind.EMBEDDING: "",
        BlockKind.FEED_FORWARD: f"layers.{block.layer}.attention.output",
        BlockKind.ATTENTION: f"layers.{block.layer - 1}.feed_forward.output",
        BlockKind.HEAD: f"layers.{task.model.layers - 1}.feed_forward.output",
    }[block.kind]
    if block.kind is BlockKind.ATTENTION and block.layer == 0:
        before = "embedding.output"
    return Scope(
        layer=block.layer,
        residual=before,
        number=number,
        answers=not task.model.structure.encoder,
        received=received and block.kind is BlockKind.HEAD,
    )
