"""Collective timeline: the schedule and program of a single collective."""

from typing import NamedTuple

import numpy as np

from chip.dataflow import Dataflow
from chip.program import Deskews, Program, Resident
from compiler.collectives.collective_dataflow import CollectiveDataflow
from compiler.collectives.exchange_selection import ExchangeSelector, part_of
from compiler.collectives.phases import Phase
from compiler.ir.program_emission import emit
from compiler.ir.timeline import Timeline, TransportEntry
from compiler.ir.transfers import TransferModel
from compiler.scheduling.schedule_builder import ScheduleBuilder
from specs.arrays import Ints
from specs.machine import MachineSpec
from topologies.topology import Topology


class CollectiveTimeline(NamedTuple):
    """Timeline of a collective, and the deskews of its chips.

    Attributes
    ----------
    timeline
        Transfers and additions in order.
    deskew_cycles
        Start cycle of each deskew, for all chips together.
    """

    timeline: Timeline
    deskew_cycles: tuple[int, ...]


def collective_timeline(
    selector: ExchangeSelector,
    machine: MachineSpec,
    transfers: TransferModel,
    phases: tuple[Phase, ...],
    *,
    chips: Ints,
    interval_cycles: int,
    flow: CollectiveDataflow | None = None,
) -> CollectiveTimeline:
    """Return the timeline of phases in order, with deskews where they are due.

    Parameters
    ----------
    selector, machine, transfers
        What knows the additions, the chips, and what schedules messages.
    phases, chips
        Phases of the collective, and its members, shape ``(members,)``.
    interval_cycles
        Longest time from the start of a deskew to the end of a vector that relies on
        it, in cycles; 0 for no deskews.
    flow
        What messages carry and members add, None if that is not stated.

    Raises
    ------
    ScheduleError
        If even a single vector takes longer than the interval.
    """
    builder = ScheduleBuilder(
        transfers,
        chip=machine.chip,
        stall_cycles=machine.hac.epoch_cycles,
        interval_cycles=interval_cycles,
        check=lambda _: None,
    )
    builder.deskew()
    deskews = [builder.deskewed_cycle] if interval_cycles else []
    room_cycles = (
        interval_cycles - machine.hac.epoch_cycles if interval_cycles else None
    )
    for number, phase in enumerate(phases):
        cuts = selector.cuts(phase.messages, room_cycles)
        for begin, end in cuts:
            whole = len(cuts) == 1
            part = phase.messages if whole else part_of(phase.messages, begin, end)
            carried = flow and flow.carried(number, begin, end)
            builder.send(f"phase {number}", part, carried)
            if deskews and builder.deskewed_cycle != deskews[-1]:
                deskews.append(builder.deskewed_cycle)
        added = selector.added_up(phase, chips)
        builder.compute(added, chips, flow and flow.added(number))
    timeline = Timeline(
        entries=tuple(builder.entries),
        loads=(),
        spent=builder.spent,
        stage_cycles=(builder.now,),
        stage_hops=(builder.hops,),
        trains=builder.trains,
    )
    return CollectiveTimeline(timeline, tuple(deskews))


def collective_program(
    made: CollectiveTimeline,
    topology: Topology,
    machine: MachineSpec,
    *,
    leader: int,
    resident: Resident,
    interval_cycles: int,
    guard_cycles: int,
    dataflow: Dataflow | None = None,
) -> Program:
    """Return the program of a collective that is scheduled, and repeats at once.

    Parameters
    ----------
    made, topology, machine
        The collective with its deskews, and what it runs on.
    leader, resident
        Chip that starts it, and what chips keep in SRAM.
    interval_cycles, guard_cycles
        How often chips deskew, and the guard band that it was scheduled with.
    dataflow
        What instructions and messages are for, None if that is not stated.
    """
    instructions, trains, kinds = emit(made.timeline, topology, machine.chip, leader)
    return Program(
        chips=topology.chips,
        instructions=instructions,
        trains=trains,
        kinds=kinds,
        resident=resident,
        deskews=deskews_of(
            made,
            topology,
            interval_cycles=interval_cycles,
            stall_cycles=machine.hac.epoch_cycles,
        ),
        period_cycles=made.timeline.token_cycles,
        token_cycles=made.timeline.token_cycles,
        sequences=1,
        interval_cycles=0,
        leader=leader,
        guard_cycles=guard_cycles,
        dataflow=dataflow,
    )


def deskews_of(
    scheduled: CollectiveTimeline,
    topology: Topology,
    *,
    interval_cycles: int,
    stall_cycles: int,
) -> Deskews:
    """Return the deskews of chips that send, relay or receive in a collective."""
    links = np.unique(
        np.concatenate(
            [
                entry.transport.link
                for entry in scheduled.timeline.entries
                if isinstance(entry, TransportEntry)
            ]
        )
    )
    chips = np.union1d(topology.source[links], topology.target[links])
    cycles = np.array(scheduled.deskew_cycles, dtype=np.int64)
    return Deskews(
        chip=np.repeat(chips, len(cycles)).astype(np.int32),
        start_cycle=np.tile(cycles, len(chips)),
        stall_cycles=stall_cycles,
        interval_cycles=interval_cycles,
    )
