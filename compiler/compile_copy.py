"""Compilation of copies between chips: messages of any sizes as a program."""

from typing import NamedTuple

import numpy as np

from chip.program import Program, Resident
from compiler.collectives.exchange_selection import MOST_TRAINS, ExchangeSelector
from compiler.collectives.phases import Phase
from compiler.cost.guard_band import Tolerance
from compiler.cost.link_timing import link_timing
from compiler.ir.messages import MessageTable
from compiler.routing.message_scheduler import MessageScheduler
from compiler.scheduling.collective_deskews import (
    longest_interval_cycles,
    spanning_interval_cycles,
)
from compiler.scheduling.collective_timeline import (
    CollectiveTimeline,
    collective_program,
    collective_timeline,
)
from specs.errors import ScheduleError
from specs.machine import MachineSpec
from topologies.outage import NO_OUTAGE, Outage
from topologies.routing.spanning_tree import alignment_tree
from topologies.routing.static_routes import Routes
from topologies.topology import Topology


class Kept(NamedTuple):
    """Program behind which a copy runs: who leads it, and what chips keep meanwhile."""

    leader: int
    resident: Resident


def compile_copies(
    topology: Topology,
    machine: MachineSpec,
    messages: MessageTable,
    kept: Kept,
    *,
    outage: Outage = NO_OUTAGE,
) -> Program:
    """Compile messages that start together into a program of the chips.

    They are sent in pieces, as long as chips may go without a deskew.

    Parameters
    ----------
    topology, machine
        Links and chips.
    messages
        Messages in order of source and target.
    kept
        Leader, and what chips keep in SRAM, with room for what arrives.
    outage
        Chips and links that are out of order.

    Raises
    ------
    ScheduleError
        If there are too many trains, or no guard band holds.
    """
    height = alignment_tree(topology, machine, kept.leader, outage).height
    tolerance = Tolerance(machine=machine, tree_height=height)
    limit_cycles = longest_interval_cycles(tolerance)
    routes = Routes(topology, outage)
    chips = np.union1d(messages.source, messages.target)

    def scheduled(interval_cycles: int) -> CollectiveTimeline:
        guard_cycles = tolerance.guard_cycles(interval_cycles)
        timing = link_timing(topology, machine, guard_cycles)
        transfers = MessageScheduler(topology, machine, routes, timing)
        return collective_timeline(
            ExchangeSelector(machine, transfers),
            machine,
            transfers,
            (Phase(messages),),
            chips=chips,
            interval_cycles=interval_cycles,
        )

    made = scheduled(limit_cycles)
    # Now that the length is known, the guard can be what its drift needs.
    interval_cycles = spanning_interval_cycles(
        tolerance, made.timeline.token_cycles, limit_cycles
    )
    made = scheduled(interval_cycles)
    if made.timeline.trains > MOST_TRAINS:
        raise ScheduleError(
            f"copies between {len(chips)} chips take {made.timeline.trains:,} trains, "
            f"and {MOST_TRAINS:,} are what 5 GB of memory hold"
        )
    return collective_program(
        made,
        topology,
        machine,
        leader=kept.leader,
        resident=kept.resident,
        interval_cycles=interval_cycles,
        guard_cycles=tolerance.guard_cycles(interval_cycles),
    )
