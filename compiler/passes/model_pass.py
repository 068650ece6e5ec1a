"""Pass of a model's plan: a token, a chunk of a prompt, or the pass of an encoder."""

from functools import partial

import numpy as np

from compiler.collectives.exchange_selection import token_exchanges
from compiler.ir.entry_dataflow import Scope
from compiler.ir.messages import MessageTable
from compiler.passes.planned_pass import PassBlock, PassStage, PlannedPass
from compiler.passes.train_count import check_trains, least_trains
from sharding.operators.operands import Operand
from sharding.partition.block_operators import block_operators
from sharding.partition.head import TOKEN
from sharding.partition.stage_boundary import (
    carried_bytes,
    carried_operands,
    token_bytes,
)
from sharding.planner.plan import ShardingPlan
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task


def model_pass(plan: ShardingPlan) -> PlannedPass:
    """Return the planned pass of a model's plan of one replica."""
    task = plan.task
    returned = token_return(plan)
    return PlannedPass(
        machine=task.machine,
        stages=tuple(
            PassStage(
                stage.index,
                stage.chips,
                tuple(_pass_block(task, block) for block in stage.blocks),
            )
            for stage in plan.stages
        ),
        exchanges=token_exchanges(task.model.layers),
        returned=returned,
        returned_operands=partial(_returned, len(returned)),
        least_trains=partial(least_trains, plan),
        check_trains=partial(
            check_trains, width=plan.strategy.tensor, chips=plan.strategy.chips
        ),
    )


def _pass_block(task: Task, block: Block) -> PassBlock:
    """Return a block of a pass."""
    like = task.like(block)
    return PassBlock(
        like=(task.group, like),
        operators=partial(block_operators, task, like),
        scope=partial(block_scope, task, block),
        received_bytes=partial(carried_bytes, task, block),
        received=partial(carried_operands, task, block),
    )


def token_return(plan: ShardingPlan) -> MessageTable:
    """Return the planned messages that carry the token back to the first stage.

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


def _returned(messages: int) -> tuple[Operand, ...]:
    """Return what the messages of the token return carry: the token."""
    rows = np.arange(messages)
    return (Operand(TOKEN, rows, 0 * rows, 0 * rows + 1, 0 * rows, 0 * rows + 1),)


def block_scope(task: Task, block: Block, number: int, received: bool) -> Scope:
    """Return the scope of a planned block: which tensors its names stand for.

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
