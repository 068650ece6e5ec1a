"""Pass scheduler: operators, exchanges and deskews of one pass in order."""

from functools import partial
from typing import NamedTuple, final

from compiler.collectives.exchange_selection import MessageShare
from compiler.collectives.phases import Phase
from compiler.ir.entry_dataflow import EntryDataflow, GraphScope, PhaseShare, Scope
from compiler.ir.timeline import Timeline
from compiler.ir.transfers import TransferModel
from compiler.passes.planned_pass import (
    PassBlock,
    PassStage,
    PlannedPass,
    walk_pass,
)
from compiler.routing.modulo_reservation_table import ModuloReservationTable
from compiler.scheduling.layer_cache import BlockCache, LayerCache
from compiler.scheduling.schedule_builder import ScheduleBuilder
from sharding.operators.operands import Operand, Operation
from sharding.operators.operators import Compute, Exchange
from topologies.topology import Topology


def pass_timeline(
    planned: PlannedPass,
    topology: Topology,
    transfers: TransferModel,
    *,
    interval_cycles: int,
    longest_phase_cycles: int = 0,
    longest_work_cycles: int = 0,
    reservations: ModuloReservationTable | None = None,
    number: int = 0,
    blocks: BlockCache | None = None,
) -> Timeline:
    """Schedule one pass and return its timeline.

    Parameters
    ----------
    planned
        The pass.
    topology, transfers
        The topology, and what schedules messages on it.
    interval_cycles
        Longest time between a deskew and a vector that relies on it, 0 for no deskews.
    longest_phase_cycles
        Longest phase that is sent in one piece, 0 for no limit.
    longest_work_cycles
        Longest time from a deskew to the end of work after it, 0 for no limit. With
        one, chips pause between operators to deskew, if they are linked to others.
    reservations
        Links that other tokens and stages use, if tokens follow each other; None if
        they do not.
    number
        Number of the pass, where a program has several.
    blocks
        What other schedules of the pass share, None if there are no others.

    Raises
    ------
    ScheduleError
        If the plan takes more trains than memory holds, or a phase does not fit into
        the deskew interval.
    """
    planned.check_trains(planned.least_trains(topology))
    builder = ScheduleBuilder(
        transfers,
        chip=planned.machine.chip,
        stall_cycles=planned.machine.hac.epoch_cycles,
        interval_cycles=interval_cycles,
        check=planned.check_trains,
        reservations=reservations,
    )
    layers = LayerCache(planned, transfers, blocks or BlockCache(planned, topology))
    limits = _Limits(longest_phase_cycles, longest_work_cycles)
    steps = _TimelineBuilder(planned, builder, layers, number, limits)
    steps.deskew_first(transfers)
    walk_pass(planned, steps)
    return steps.timeline()


class _Limits(NamedTuple):
    """Longest phase sent in one piece, and longest work after a deskew; 0 for none."""

    phase_cycles: int
    work_cycles: int


@final
class _TimelineBuilder:
    """Builder of a pass's timeline, step by step.

    Parameters
    ----------
    planned
        The pass.
    builder
        What appends operators and phases.
    layers
        Operators and phases of blocks.
    number
        Number of the pass.
    limits
        Limits on phases and on work.
    """

    def __init__(
        self,
        planned: PlannedPass,
        builder: ScheduleBuilder,
        layers: LayerCache,
        number: int,
        limits: _Limits,
    ) -> None:
        self._planned = planned
        self._builder = builder
        self._layers = layers
        self._number = number
        self._limits = limits
        self._stage_cycles: list[int] = []
        self._stage_hops: list[int] = []
        # When the stage at work began, and the hops before it.
        self._begin = 0
        self._hops = 0

    def deskew_first(self, transfers: TransferModel) -> None:
        """Deskew the first stage."""
        planned, builder = self._planned, self._builder
        stall_cycles = planned.machine.hac.epoch_cycles
        if len(planned.stages) == 1:
            # A single stage is never idle, so it deskews as the first thing of each
            # pass. Chips that exchange nothing need not be in step.
            if self._exchanges(planned.stages[0]):
                builder.deskew()
        elif len(planned.returned):
            # The first stage deskews before the last token comes back to it.
            back = transfers.transport(planned.returned).duration_cycles
            builder.deskewed_cycle = -(stall_cycles + back)
        else:
            # No token comes back, so the first stage deskews before the pass begins.
            builder.deskewed_cycle = -stall_cycles

    def _exchanges(self, stage: PassStage) -> bool:
        """Return whether the chips of a stage exchange anything."""
        return len(stage.chips) > 1 and any(
            isinstance(operator, Exchange)
            for block in stage.blocks
            for operator in self._layers.operators(block)
        )

    def block(self, stage: PassStage, block: PassBlock) -> None:
        """Append the operators and exchanges of a block."""
        layers, chips, builder = self._layers, stage.chips, self._builder
        scope = block.scope(self._number, block is stage.blocks[0])
        for operator in layers.fastest(block, stage, builder.windows):
            if isinstance(operator, Compute):
                self._pause_before(operator, stage)
                flow = EntryDataflow(scope, chips, operations=operator.operations)
                builder.compute(operator, chips, flow)
                continue
            if operator.beside is not None:
                computes = operator.beside.operations
                flow = EntryDataflow(scope, chips, operations=computes)
                builder.start_beside(operator.beside, chips, flow)
            for index, phase in enumerate(layers.phases(operator, stage)):
                flow = EntryDataflow(
                    scope,
                    chips,
                    operations=partial(_sums, layers, operator, stage, index),
                    carried=partial(_carried, layers, operator, stage, index),
                )
                self._send(operator.name, phase, flow)
                builder.compute(layers.reduction(phase, stage), chips, flow)
            builder.end_beside()

    def _pause_before(self, operator: Compute, stage: PassStage) -> None:
        """Deskew if the end of an operator would be too long after the last deskew.

        What continues the product before it begins while that one drains, so that no
        deskew fits between.
        """
        limit, builder = self._limits.work_cycles, self._builder
        if not limit or operator.continues:
            return
        end = builder.now + int(operator.cycles.max())
        if end - builder.deskewed_cycle > limit and self._is_linked(stage):
            builder.deskew()

    def _is_linked(self, stage: PassStage) -> bool:
        """Return whether a stage sends or receives anything."""
        return len(self._planned.stages) > 1 or self._exchanges(stage)

    def _send(self, name: str, phase: Phase, flow: EntryDataflow) -> None:
        """Append a phase, in pieces if it is too long for one."""
        shares: list[MessageShare] = []
        if longest := self._limits.phase_cycles:
            shares = self._layers.shares(phase.messages, longest)
        if len(shares) < 2:  # noqa: PLR2004
            self._builder.send(name, phase.messages, flow)
            return
        for share in shares:
            whole = PhaseShare(phase.messages, share.rows)
            self._builder.send(name, share.messages, flow._replace(whole=whole))

    def stage_transfer(self, stage: PassStage, following: PassStage) -> None:
        """Append the transfer of what a stage has made to the next one."""
        builder, into = self._builder, following.blocks[0]
        flow = EntryDataflow(
            into.scope(self._number, True),
            stage.chips,
            carried=partial(self._planned.transferred, following),
        )
        sent = self._planned.transfer(stage, following)
        builder.send("hand_over", sent, flow)
        begin = builder.entries[-1].start_cycle if len(sent) else builder.now
        # During the transfer the next stage can do nothing but load weights.
        builder.prefetch.restart()
        builder.prefetch.free(begin, builder.now)
        # The next stage has been idle: it deskews just before this transfer.
        builder.deskewed_cycle = begin - self._planned.machine.hac.epoch_cycles
        self._leave(begin)

    def token_return(self, stage: PassStage) -> None:
        """Append the return of the token to the first stage."""
        planned, last = self._planned, stage.blocks[-1]
        scope: Scope | GraphScope = last.scope(self._number, len(stage.blocks) == 1)
        flow = EntryDataflow(scope, stage.chips, carried=planned.returned_operands)
        self._builder.send("way_back", planned.returned, flow)
        self._leave(self._builder.now)

    def _leave(self, begin: int) -> None:
        """Note the cycles and hops of a stage; the next one begins at a cycle."""
        builder = self._builder
        self._stage_cycles.append(builder.now - self._begin)
        self._stage_hops.append(builder.hops - self._hops)
        self._begin, self._hops = begin, builder.hops

    def timeline(self) -> Timeline:
        """Return the timeline of the whole pass."""
        builder = self._builder
        return Timeline(
            entries=tuple(builder.entries),
            loads=tuple(builder.loads),
            spent=builder.spent,
            stage_cycles=tuple(self._stage_cycles),
            stage_hops=tuple(self._stage_hops),
            trains=builder.trains,
            hidden_cycles=builder.hidden_cycles,
        )


def _carried(
    layers: LayerCache, exchange: Exchange, stage: PassStage, index: int
) -> tuple[Operand, ...]:
    """Return what the messages of one phase carry."""
    return layers.dataflow(exchange, stage)[index].carried


def _sums(
    layers: LayerCache, exchange: Exchange, stage: PassStage, index: int
) -> tuple[Operation, ...]:
    """Return what is added up after one phase."""
    return layers.dataflow(exchange, stage)[index].sums
