"""Token scheduler: operators, exchanges and deskews of one decode token in order."""

from functools import partial
from typing import final

import numpy as np

from compiler.ir.entry_dataflow import EntryDataflow, Scope
from compiler.ir.timeline import Timeline
from compiler.ir.transfers import TransferModel
from compiler.routing.modulo_reservation_table import ModuloReservationTable
from compiler.scheduling.layer_cache import BlockCache, LayerCache
from compiler.scheduling.schedule_builder import ScheduleBuilder
from compiler.scheduling.token_walk import (
    block_scope,
    stage_transfer,
    token_return,
    walk_token,
)
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
    builder = ScheduleBuilder(
        transfers,
        chip=plan.task.machine.chip,
        stall_cycles=plan.task.machine.hac.epoch_cycles,
        interval_cycles=interval_cycles,
        check=check,
        reservations=reservations,
    )
    layers = LayerCache(plan, topology, transfers, blocks)
    token = _TokenBuilder(plan, builder, layers, number)
    token.deskew_first(transfers)
    walk_token(plan, token)
    return token.timeline()


@final
class _TokenBuilder:
    """Builder of a token's timeline, step by step.

    Parameters
    ----------
    plan
        Who holds what.
    builder
        What appends operators and phases.
    layers
        Operators and phases of blocks.
    number
        Number of the pass.
    """

    def __init__(
        self,
        plan: ShardingPlan,
        builder: ScheduleBuilder,
        layers: LayerCache,
        number: int,
    ) -> None:
        self._plan = plan
        self._builder = builder
        self._layers = layers
        self._number = number
        self._returned = token_return(plan)
        self._stage_cycles: list[int] = []
        self._stage_hops: list[int] = []
        # When the stage at work began, and the hops before it.
        self._begin = 0
        self._hops = 0

    def deskew_first(self, transfers: TransferModel) -> None:
        """Deskew the first stage."""
        plan, builder = self._plan, self._builder
        stall_cycles = plan.task.machine.hac.epoch_cycles
        if len(plan.stages) == 1:
            # A single stage is never idle, so it deskews as the first thing of each
            # token. A chip on its own has no other to be in step with.
            if len(plan.stages[0].chips) > 1:
                builder.deskew()
        elif len(self._returned):
            # The first stage deskews before the last token comes back to it.
            back = transfers.transport(self._returned).duration_cycles
            builder.deskewed_cycle = -(stall_cycles + back)
        else:
            # No token comes back, so the first stage deskews before the pass begins.
            builder.deskewed_cycle = -stall_cycles

    def block(self, stage: Stage, block: Block) -> None:
        """Append the operators and exchanges of a block."""
        builder, layers, chips = self._builder, self._layers, stage.chips
        scope = self._scope(block, received=block is stage.blocks[0])
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

    def stage_transfer(self, stage: Stage, following: Stage) -> None:
        """Append the transfer of what a stage has made to the next one."""
        builder, task = self._builder, self._plan.task
        into = following.blocks[0]
        flow = EntryDataflow(
            self._scope(into, received=True),
            stage.chips,
            carried=partial(carried_operands, task, into),
        )
        sent = stage_transfer(self._plan, stage, following)
        builder.send("hand_over", sent, flow)
        begin = builder.entries[-1].start_cycle
        # During the transfer the next stage can do nothing but load weights.
        builder.prefetch.restart()
        builder.prefetch.free(begin, builder.now)
        # The next stage has been idle: it deskews just before this transfer.
        builder.deskewed_cycle = begin - task.machine.hac.epoch_cycles
        self._leave(begin)

    def token_return(self, stage: Stage) -> None:
        """Append the return of the token to the first stage."""
        last = self._scope(stage.blocks[-1], received=len(stage.blocks) == 1)
        count = len(self._returned)
        flow = EntryDataflow(last, stage.chips, carried=partial(_returned, count))
        self._builder.send("way_back", self._returned, flow)
        self._leave(self._builder.now)

    def _leave(self, begin: int) -> None:
        """Note the cycles and hops of a stage; the next one begins at a cycle."""
        builder = self._builder
        self._stage_cycles.append(builder.now - self._begin)
        self._stage_hops.append(builder.hops - self._hops)
        self._begin, self._hops = begin, builder.hops

    def _scope(self, block: Block, *, received: bool) -> Scope:
        return block_scope(self._plan.task, block, self._number, received=received)

    def timeline(self) -> Timeline:
        """Return the timeline of the whole token."""
        builder = self._builder
        return Timeline(
            entries=tuple(builder.entries),
            loads=tuple(builder.loads),
            spent=builder.spent,
            stage_cycles=tuple(self._stage_cycles),
            stage_hops=tuple(self._stage_hops),
            trains=builder.trains,
        )


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
