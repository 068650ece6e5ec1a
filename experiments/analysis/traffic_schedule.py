"""What a static schedule makes of the traffic that the reactive twin carries.

All times are fixed before anything runs. How good they are depends on what the
compiler is told: the whole pattern, so that it may space the messages; the moments at
which they will be ready; or nothing, so that each pair of chips can only be given slots
that recur.
"""

from collections import defaultdict
from itertools import pairwise
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from compiler.cost.guard_band import Tolerance
from compiler.cost.link_timing import LinkTiming, link_timing, serialisation_cycles
from compiler.ir.messages import MessageTable
from compiler.routing.message_scheduler import MessageScheduler
from compiler.routing.reservation_table import ReservationTable
from fabric.reactive.traffic import Messages
from specs.arrays import Ints
from specs.errors import ScheduleError
from specs.machine import MachineSpec
from specs.units import BITS_PER_BYTE, PS_PER_NS, PS_PER_S, ceil_div
from topologies.routing.spanning_tree import alignment_tree
from topologies.routing.static_routes import Routes
from topologies.topology import Topology

# Crystals 100 ppm apart drift 4 cycles in 160 epochs of 252, and a deskew of an epoch
# takes 0.6 % of the time: a longer interval would widen the guard bands for less.
DESKEW_EPOCHS = 160
# The share of time that deskews leave to the links.
UNDISTURBED = 1 - 1 / DESKEW_EPOCHS


@final
class Network(NamedTuple):
    """A machine with its routes, and the load that uniform traffic puts on them.

    Attributes
    ----------
    topology, machine, routes
        Wiring, parts and minimal ways.
    timing
        What the compiler knows of the links, guard band included.
    busiest
        Messages over the busiest link if every chip sends one to every other.
    """

    topology: Topology
    machine: MachineSpec
    routes: Routes
    timing: LinkTiming
    busiest: int

    @property
    def chips(self) -> Ints:
        """Return the chips that take part."""
        return self.topology.active.astype(np.int64)

    @property
    def vector_ps(self) -> float:
        """Return the time of a vector on the wire."""
        link = self.machine.link
        return link.wire_bytes * BITS_PER_BYTE * PS_PER_NS / link.rate_gbps

    @property
    def least_gap_ps(self) -> float:
        """Return the mean gap of a chip's messages at which the busiest link is full.

        It is the bound of uniform traffic on these routes, for either machine.
        """
        return self.busiest * self.vector_ps / (len(self.chips) - 1)

    @property
    def bound_gb_per_s(self) -> float:
        """Return the payload of a chip at that bound, in 10^9 B/s."""
        return self.machine.link.vector_bytes / self.least_gap_ps * PS_PER_NS


def network(topology: Topology, machine: MachineSpec) -> Network:
    """Return a machine ready to be compared.

    Raises
    ------
    ScheduleError
        If its crystals allow no deskews so far apart.
    """
    routes = Routes(topology)
    root = int(topology.active[0])
    height = alignment_tree(topology, machine, root).height
    tolerance = Tolerance(machine=machine, tree_height=height)
    interval_cycles = tolerance.checked_interval(DESKEW_EPOCHS)
    guard_cycles = tolerance.guard_cycles(interval_cycles)
    load = np.zeros(len(topology.source), dtype=np.int64)
    for source, target in _pairs(topology):
        load[list(routes.path(source, target))] += 1
    return Network(
        topology=topology,
        machine=machine,
        routes=routes,
        timing=link_timing(topology, machine, guard_cycles),
        busiest=int(load.max()),
    )


def all_to_all(net: Network, vectors: int) -> Messages:
    """Return a message from every chip to every other, all ready at once.

    Each chip sends what has the longest way first, and begins with another target than
    its neighbours do: the order that the compiler takes too.
    """
    pairs = _pairs(net.topology)
    pairs.sort(key=lambda pair: -net.routes.hops(*pair))
    ends = np.array(pairs, dtype=np.int64).T
    return Messages(
        source=ends[0],
        target=ends[1],
        vectors=np.full(len(pairs), vectors, dtype=np.int64),
        ready_ps=np.zeros(len(pairs), dtype=np.int64),
    )


def exchanged_cycles(net: Network, sent: Messages) -> Ints:
    """Return the latency of each of `sent`, all ready at once, as it is compiled.

    Sorted, shape ``(messages,)``; the schedule is that of a collective's phase.
    """
    vector_bytes = net.machine.link.vector_bytes
    columns = (sent.source, sent.target, sent.vectors * vector_bytes)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    transporter = MessageScheduler(net.topology, net.machine, net.routes, net.timing)
    placed = transporter.transport(MessageTable.of(rows))
    last = np.ones(len(placed.link), dtype=bool)
    last[placed.previous[placed.previous >= 0]] = False
    tail = [
        serialisation_cycles(net.machine, vectors - 1)
        for vectors in placed.vectors[last].tolist()
    ]
    there = placed.receive_cycle[last] + np.array(tail) + net.timing.receive_cycles
    return np.sort(there)


def foreseen_cycles(net: Network, sent: Messages) -> Ints:
    """Return the latency of each of `sent` if the compiler knows when it is ready.

    It reserves wires in the order of time and cannot move a message's start; a latency
    counts from the first cycle after the message is ready.
    """
    timing, hz = net.timing, net.machine.chip.clock_hz
    line_cycles = serialisation_cycles(net.machine, 1)
    latency = timing.latency_cycles.tolist()
    calendars: defaultdict[int, ReservationTable] = defaultdict(ReservationTable)
    ready_cycles = -(-sent.ready_ps * hz // PS_PER_S)
    taken = np.empty(len(sent), dtype=np.int64)
    rows = zip(sent.source, sent.target, ready_cycles.tolist(), strict=True)
    for index, (source, target, ready) in enumerate(rows):
        cycle, receive = ready + timing.send_cycles, 0
        for link in net.routes.path(int(source), int(target)):
            wire = calendars[link].reserve(cycle, line_cycles)
            receive = wire + latency[link] + timing.guard_cycles
            cycle = receive + timing.pass_cycles
        taken[index] = receive + timing.receive_cycles - ready
    return taken


@final
class Timetable(NamedTuple):
    """Slots that recur: one message from every chip to every other in each period.

    Attributes
    ----------
    period_cycles
        Length of the period.
    wire_cycles
        When a message enters each wire of its way, by source and target; the first
        lies in the first period.
    latency_cycles
        From when it must be ready to SRAM of the target, by source and target.
    """

    period_cycles: int
    wire_cycles: dict[tuple[int, int], tuple[int, ...]]
    latency_cycles: dict[tuple[int, int], int]


def timetable(net: Network, load: float) -> Timetable:
    """Return slots for uniform traffic at a share of the bound.

    Each message takes the start from which it waits least on its way, those with the
    longest ways first; some slot is free on every link, because the busiest has enough.

    Parameters
    ----------
    net
        The machine.
    load
        Share of the bound, below what slots of whole cycles and deskews leave of it.

    Raises
    ------
    ScheduleError
        If the load is above that.
    """
    timing = net.timing
    slot_cycles = serialisation_cycles(net.machine, 1)
    full_cycles = net.busiest * net.vector_ps * net.machine.chip.clock_hz / PS_PER_S
    # The timetable stands still while chips deskew, and makes up for it in between.
    period = int(full_cycles / load * UNDISTURBED)
    slots = period // slot_cycles
    if slots < net.busiest:
        most = full_cycles * UNDISTURBED / (net.busiest * slot_cycles)
        raise ScheduleError(
            f"at a load of {load:g} a period has {slots} slots, but the busiest link "
            f"carries {net.busiest} messages: ask for {most:.3f} at most"
        )
    free = np.ones((len(net.topology.source), slots), dtype=bool)
    entered, latency = {}, {}
    pairs = _pairs(net.topology)
    pairs.sort(key=lambda pair: -net.routes.hops(*pair))
    for pair in pairs:
        path = net.routes.path(*pair)
        first = np.flatnonzero(free[path[0]]) * slot_cycles
        wires = [first]
        for link, following in pairwise(path):
            step = int(timing.latency_cycles[link])
            ready = wires[-1] + step + timing.guard_cycles + timing.pass_cycles
            wires.append(_next_free(free[following], ready, slot_cycles, period))
        best = int(np.argmin(wires[-1] - first))
        entered[pair] = tuple(int(wire[best]) for wire in wires)
        for link, wire in zip(path, entered[pair], strict=True):
            free[link, wire % period // slot_cycles] = False
        flight = int(timing.latency_cycles[path[-1]]) + timing.guard_cycles
        way = entered[pair][-1] - entered[pair][0] + flight
        latency[pair] = timing.send_cycles + way + timing.receive_cycles
    return Timetable(period, entered, latency)


def unforeseen_cycles(net: Network, slots: Timetable, sent: Messages) -> Ints:
    """Return the latency of each of `sent` if nobody knew when it would be ready.

    A message waits for the next slot of its pair that no earlier one takes.
    """
    ready_cycles = -(-sent.ready_ps * net.machine.chip.clock_hz // PS_PER_S)
    next_start: dict[tuple[int, int], int] = {}
    taken = np.empty(len(sent), dtype=np.int64)
    period = slots.period_cycles
    ends = zip(sent.source.tolist(), sent.target.tolist(), strict=True)
    rows = zip(ends, ready_cycles.tolist(), strict=True)
    for index, (pair, ready) in enumerate(rows):
        start = slots.wire_cycles[pair][0] - net.timing.send_cycles
        earliest = max(ready, next_start.get(pair, ready))
        at = start + ceil_div(earliest - start, period) * period
        next_start[pair] = at + period
        taken[index] = at - ready + slots.latency_cycles[pair]
    return taken


def _next_free(
    free: NDArray[np.bool_], ready: Ints, slot_cycles: int, period: int
) -> Ints:
    """Return the start of the first free slot not before each of `ready`."""
    places = np.flatnonzero(free)
    turn, cycle = np.divmod(ready, period)
    index = np.searchsorted(places, -(-cycle // slot_cycles))
    around = index == len(places)
    first: Ints = places[np.where(around, 0, index)] * slot_cycles
    first += (turn + around) * period
    return first


def _pairs(topology: Topology) -> list[tuple[int, int]]:
    """Return all pairs of active chips, each chip's targets begun with the next one."""
    chips = topology.active.tolist()
    count = len(chips)
    return [
        (chips[place], chips[(place + step) % count])
        for step in range(1, count)
        for place in range(count)
    ]
