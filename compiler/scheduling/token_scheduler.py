"""Token scheduler: operators, exchanges and deskews of one decode token in order."""

from functools import partial

import numpy as np

from compiler.ir.entry_dataflow import EntryDataflow, Scope
from compiler.ir.timeline import Timeline
from compiler.ir.transfers import TransferModel
from compiler.routing.modulo_reservation_table import ModuloReservationTable
from compiler.scheduling.layer_cache import BlockCache, LayerCache
from compiler.scheduling.schedule_builder import ScheduleBuilder
from compiler.scheduling.stage_messages import block_scope, stage_transfer, token_return
from compiler.scheduling.train_count import check_trains, least_trains
from sharding.operators.operands import Operand, Operation
from sharding.operators.operators import Compute, Exchange
from sharding.partition.head import TOKEN
from sharding.partition.stage_boundary import carried_operands
from sharding.planner.plan import ShardingPlan, Stage
from sharding.weights.blocks import Block
from topologies.topology import Topology


def token_timeline(
    plan: ShardingPlan,
    topology: Topology,
    transfers: TransferModel,
    *,
    interval_cycles: int,
    reservations: ModuloReservationTable | None = None,
    number: int = 0,
    blocks: BlockCache | None = None,
) -> Timeline:
    """Schedule one decode token and return its timeline.

    Parameters
    ----------
    plan
        Who holds what.
    topology, transfers
        The topology, and what schedules messages on it.
    interval_cycles
        Longest time between a deskew and a vector that relies on it, 0 for no deskews.
    reservations
        Links that other tokens and stages use, if tokens follow each other; None if
        they do not.
    number
        Number of the pass, where a program has several.
    blocks
        What other schedules of the plan share, None if there are no others.

    Raises
    ------
    ScheduleError
        If the plan takes more trains than memory holds, or a phase does not fit into
        the deskew interval.
    """
    check = partial(check_trains, width=plan.strategy.tensor, chips=plan.strategy.chips)
    check(least_trains(plan, topology))
    stall_cycles = plan.task.machine.hac.epoch_cycles
    builder = ScheduleBuilder(
        transfers,
        chip=plan.task.machine.chip,
        stall_cycles=stall_cycles,
        interval_cycles=interval_cycles,
        check=check,
        reservations=reservations,
    )
    returned = token_return(plan)
    stage_cycles, stage_hops = [], []
    if len(plan.stages) == 1:
        # A single stage is never idle, so it deskews as the first thing of each token.
        # A chip on its own has no other to be in step with.
        if len(plan.stages[0].chips) > 1:
            builder.deskew()
    elif len(returned):
        # The first stage deskews before the last token comes back to it.
        builder.deskewed_cycle = -(
            stall_cycles + transfers.transport(returned).duration_cycles
        )
    else:
        # No token comes back, so the first stage deskews before the pass begins.
        builder.deskewed_cycle = -stall_cycles
    layers = LayerCache(plan, topology, transfers, blocks)
    begin = 0
    for stage in plan.stages:
        hops = builder.hops
        for block in stage.blocks:
            received = block is stage.blocks[0]
            scope = block_scope(plan.task, block, number, received=received)
            _append_block(builder, layers, stage, block, scope)
        if stage.index + 1 == len(plan.stages):
            flow = EntryDataflow(
                scope, stage.chips, carried=partial(_returned, len(returned))
            )
            builder.send("way_back", returned, flow)
            stage_cycles.append(builder.now - begin)
        else:
            following = plan.stages[stage.index + 1]
            into = following.blocks[0]
            flow = EntryDataflow(
                block_scope(plan.task, into, number, received=True),
                stage.chips,
                carried=partial(carried_operands, plan.task, into),
            )
            builder.send("hand_over", stage_transfer(plan, stage, following), flow)
            stage_cycles.append(builder.now - begin)
            begin = builder.entries[-1].start_cycle
            # During the transfer the next stage can do nothing but load weights.
            builder.prefetch.restart()
            builder.prefetch.free(begin, builder.now)
            # The next stage has been idle: it deskews just before this transfer.
            builder.deskewed_cycle = begin - stall_cycles
        stage_hops.append(builder.hops - hops)
    return Timeline(
        entries=tuple(builder.entries),
        loads=tuple(builder.loads),
        spent=builder.spent,
        stage_cycles=tuple(stage_cycles),
        stage_hops=tuple(stage_hops),
        trains=builder.trains,
    )


def _append_block(
    builder: ScheduleBuilder,
    layers: LayerCache,
    stage: Stage,
    block: Block,
    scope: Scope,
) -> None:
    """Append the operators and exchanges of a block to a timeline."""
    chips = stage.chips
    for operator in layers.operators(block):
        if isinstance(operator, Compute):
            flow = EntryDataflow(scope, chips, operations=operator.operations)
            builder.compute(operator, chips, flow)
            continue
        for index, phase in enumerate(layers.phases(operator, stage)):
            flow = EntryDataflow(
                scope,
                chips,
                operations=partial(_sums, layers, operator, stage, index),
                carried=partial(_carried, layers, operator, stage, index),
            )
            builder.send(operator.name, phase.messages, flow)
            builder.compute(layers.reduction(phase, stage), chips, flow)


def _carried(
    layers: LayerCache, exchange: Exchange, stage: Stage, index: int
) -> tuple[Operand, ...]:
    """Return what the messages of one phase carry."""
    return layers.dataflow(exchange, stage)[index].carried


def _sums(
    layers: LayerCache, exchange: Exchange, stage: Stage, index: int
) -> tuple[Operation, ...]:
    """Return what is added up after one phase."""
    return layers.dataflow(exchange, stage)[index].sums


def _returned(messages: int) -> tuple[Operand, ...]:
    """Return what the messages of the token return carry: the token."""
    rows = np.arange(messages)
    return (Operand(TOKEN, rows, 0 * rows, 0 * rows + 1, 0 * rows, 0 * rows + 1),)
