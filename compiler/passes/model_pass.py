"""Pass of a model's plan: a token, a chunk of a prompt, or the pass of an encoder."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from compiler.collectives.exchange_selection import token_exchanges
from compiler.ir.entry_dataflow import Scope
from compiler.ir.messages import MessageTable
from compiler.passes.planned_pass import PassBlock, PassStage, PlannedPass
from compiler.passes.train_count import check_trains, least_trains
from sharding.operators.operands import Operand
from sharding.operators.operators import ShardedOperator
from sharding.partition.block_operators import block_operators, block_overlaps
from sharding.partition.head import TOKEN
from sharding.partition.stage_boundary import (
    carried_bytes,
    carried_operands,
    mirrored_bytes,
    mirrored_operands,
    token_bytes,
)
from sharding.planner.plan import ShardingPlan
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from specs.arrays import Ints


def model_pass(plan: ShardingPlan) -> PlannedPass:
    """Return the planned pass of a model's plan of one replica."""
    task = plan.task
    token = token_return(plan)
    returned, returned_operands = token, partial(_returned, len(token))
    # A single stage has none to mirror it; planning a run refuses that.
    mirrored = task.mirrored and len(plan.stages) > 1
    if mirrored:
        returned = mirrored_return(plan, token)
        returned_operands = partial(_returned_mirrored, plan, token, returned)
    stages = []
    for number, stage in enumerate(plan.stages):
        blocks = [_pass_block(task, block) for block in stage.blocks]
        if mirrored and number:
            blocks[0] = _mirroring(task, blocks[0], plan.stages[number - 1].blocks)
        stages.append(PassStage(stage.index, stage.chips, tuple(blocks)))
    return PlannedPass(
        machine=task.machine,
        stages=tuple(stages),
        exchanges=token_exchanges(task.model.layers),
        returned=returned,
        returned_operands=returned_operands,
        least_trains=partial(least_trains, plan),
        check_trains=partial(
            check_trains, width=plan.strategy.tensor, chips=plan.strategy.chips
        ),
    )


def _pass_block(task: Task, block: Block) -> PassBlock:
    """Return a block of a pass."""
    like = task.like(block)
    positions = task.batch, task.query_tokens, task.answer_tokens
    # Attention alone depends on how many positions are attended to; an encoder's
    # context is what it computes.
    attends = block.kind is BlockKind.ATTENTION or task.model.structure.encoder
    context = task.context if attends else 0
    return PassBlock(
        like=(task.group, positions, context, like),
        operators=partial(block_operators, task, like),
        ways=partial(block_ways, task, like),
        scope=partial(block_scope, task, block),
        received_bytes=partial(carried_bytes, task, block),
        received=partial(carried_operands, task, block),
    )


def _mirroring(task: Task, into: PassBlock, mirrored: Sequence[Block]) -> PassBlock:
    """Return the first block of a pass's stage that mirrors the stage before.

    The new keys and values travel with what the stage before passes on anyway.
    """

    def received_bytes() -> Ints:
        return into.received_bytes() + mirrored_bytes(task, mirrored)

    def received() -> tuple[Operand, ...]:
        return *into.received(), *mirrored_operands(task, mirrored)

    return replace(into, received_bytes=received_bytes, received=received)


def mirrored_return(plan: ShardingPlan, token: MessageTable) -> MessageTable:
    """Return the planned messages of the token's return, with the last stage's mirror.

    Member *i* of the last stage sends its new keys and values to member *i* of the
    first one.

    Parameters
    ----------
    plan, token
        The plan, and the messages of the token.
    """
    last, first = plan.stages[-1], plan.stages[0]
    sizes = mirrored_bytes(plan.task, last.blocks)
    rows = _mirrored_rows(plan, token)
    table = np.zeros((3, int(max(rows.max() + 1, len(token)))), dtype=np.int64)
    table[:, : len(token)] = token.source, token.target, token.payload_bytes
    sends = np.flatnonzero(sizes)
    table[:2, rows[sends]] = last.chips[sends], first.chips[sends]
    table[2, rows[sends]] += sizes[sends]
    return MessageTable(*table)


def _mirrored_rows(plan: ShardingPlan, token: MessageTable) -> Ints:
    """Return the row of each member's mirrored keys and values, -1 if it has none.

    They share the message of the token if there is one from the same chip to the same.
    """
    last, first = plan.stages[-1].chips, plan.stages[0].chips
    sizes = mirrored_bytes(plan.task, plan.stages[-1].blocks)
    pairs = zip(token.source.tolist(), token.target.tolist(), strict=True)
    known = {pair: row for row, pair in enumerate(pairs)}
    rows = np.full(len(sizes), -1, dtype=np.int64)
    for member in np.flatnonzero(sizes).tolist():
        pair = int(last[member]), int(first[member])
        rows[member] = known.setdefault(pair, len(known))
    return rows


def _returned_mirrored(
    plan: ShardingPlan, token: MessageTable, returned: MessageTable
) -> tuple[Operand, ...]:
    """Return what the messages of a pass's return carry, with the last mirror."""
    rows = _mirrored_rows(plan, token)
    carried = mirrored_operands(plan.task, plan.stages[-1].blocks)
    moved = tuple(each._replace(member=rows[each.member]) for each in carried)
    assert all((each.member < len(returned)).all() for each in moved)
    return (*(_returned(len(token)) if len(token) else ()), *moved)


def block_ways(task: Task, block: Block) -> tuple[list[ShardedOperator], ...]:
    """Return a block's planned operators in each way in which exchanges may overlap.

    The first is without.
    """
    return tuple(
        block_operators(task, block, overlap) for overlap in block_overlaps(task, block)
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
    layer_input = f"layers.{block.layer - 1}.feed_forward.output"
    if block.layer == 0:
        layer_input = "embedding.output"
    before = {
        BlockKind.EMBEDDING: "",
        BlockKind.FEED_FORWARD: f"layers.{block.layer}.attention.output",
        BlockKind.ATTENTION: layer_input,
        BlockKind.HEAD: f"layers.{task.model.layers - 1}.feed_forward.output",
    }[block.kind]
    return Scope(
        layer=block.layer,
        residual=before,
        number=number,
        answers=not task.model.structure.encoder,
        received=received and block.kind is BlockKind.HEAD,
        layer_input=layer_input,
    )
