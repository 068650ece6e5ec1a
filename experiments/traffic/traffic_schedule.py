"""Static schedules for the traffic that the reactive baseline model carries.

All times are fixed before the run. The latency depends on what the compiler knows:
- the whole pattern: it spaces the messages (`exchange_cycles`, and the timetable of
  `slot_timetable`);
- the times at which messages will be ready (`foreseen_cycles`);
- nothing: each pair of chips has slots that recur (`unforeseen_cycles` of
  `slot_timetable`).
"""

from collections import defaultdict
from typing import NamedTuple, final

import numpy as np

from compiler.cost.guard_band import Tolerance
from compiler.cost.link_timing import LinkTiming, link_timing, serialisation_cycles
from compiler.ir.messages import MessageTable
from compiler.routing.message_scheduler import MessageScheduler
from compiler.routing.reservation_table import ReservationTable
from fabric.reactive.traffic import Messages
from specs.arrays import Ints
from specs.machine import MachineSpec
from specs.units import PS_PER_NS, PS_PER_S
from topologies.routing.spanning_tree import alignment_tree
from topologies.routing.static_routes import Routes, chip_pairs
from topologies.topology import Topology

# Crystals 100 ppm apart drift 4 cycles in 160 epochs of 252, and a deskew of an epoch
# takes 0.6 % of the time: a longer interval would widen the guard bands for less.
DESKEW_EPOCHS = 160
# The share of time that deskews leave to the links.
UNDISTURBED = 1 - 1 / DESKEW_EPOCHS


@final
class Network(NamedTuple):
    """A machine with its routes, and the load of its busiest link.

    Attributes
    ----------
    topology, machine, routes
        Wiring, hardware and minimal routes.
    timing
        Link timing of the compiler, with the guard band.
    busiest
        Messages over the busiest link when every chip sends one to every other.
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
        """Return the time of a vector on the wire, in ps."""
        return float(self.machine.line.vector_ps)

    @property
    def least_gap_ps(self) -> float:
        """Return the mean gap of a chip's messages at which the busiest link is full.

        In ps. It bounds uniform traffic on these routes, scheduled or reactive.
        """
        return self.busiest * self.vector_ps / (len(self.chips) - 1)

    @property
    def bound_gb_per_s(self) -> float:
        """Return the payload of a chip at that bound, in 10^9 B/s."""
        return self.machine.link.vector_bytes / self.least_gap_ps * PS_PER_NS


def network(topology: Topology, machine: MachineSpec) -> Network:
    """Return a machine with routes and busiest link, to schedule traffic on.

    Raises
    ------
    ScheduleError
        If its crystals drift too far between deskews `DESKEW_EPOCHS` apart.
    """
    routes = Routes(topology)
    root = int(topology.active[0])
    height = alignment_tree(topology, machine, root).height
    tolerance = Tolerance(machine=machine, tree_height=height)
    interval_cycles = tolerance.checked_interval(DESKEW_EPOCHS)
    guard_cycles = tolerance.guard_cycles(interval_cycles)
    load = np.zeros(len(topology.source), dtype=np.int64)
    for source, target in chip_pairs(topology):
        load[list(routes.path(source, target))] += 1
    return Network(
        topology=topology,
        machine=machine,
        routes=routes,
        timing=link_timing(topology, machine, guard_cycles),
        busiest=int(load.max()),
    )


def exchange_cycles(net: Network, sent: Messages) -> Ints:
    """Return the latency of traffic that is all ready at once, in cycles.

    Of each message, sorted, shape ``(messages,)``. The schedule is that of one phase of
    a collective.
    """
    vector_bytes = net.machine.link.vector_bytes
    columns = (sent.source, sent.target, sent.vectors * vector_bytes)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    scheduler = MessageScheduler(net.topology, net.machine, net.routes, net.timing)
    transport = scheduler.transport(MessageTable.of(rows))
    last = np.ones(len(transport.link), dtype=bool)
    last[transport.previous[transport.previous >= 0]] = False
    tail = [
        serialisation_cycles(net.machine, vectors - 1)
        for vectors in transport.vectors[last].tolist()
    ]
    arrival = transport.receive_cycle[last] + np.array(tail) + net.timing.receive_cycles
    return np.sort(arrival)


def foreseen_cycles(net: Network, sent: Messages) -> Ints:
    """Return the latency of each message of traffic whose ready times are foreseen.

    In cycles, from the first cycle after the message is ready. The compiler reserves
    wires in the order of time and cannot delay the start of a message.
    """
    timing, hz = net.timing, net.machine.chip.clock_hz
    line_cycles = serialisation_cycles(net.machine, 1)
    latency = timing.latency_cycles.tolist()
    reservations: defaultdict[int, ReservationTable] = defaultdict(ReservationTable)
    ready_cycles = -(-sent.ready_ps * hz // PS_PER_S)
    latencies = np.empty(len(sent), dtype=np.int64)
    rows = zip(sent.source, sent.target, ready_cycles.tolist(), strict=True)
    for index, (source, target, ready) in enumerate(rows):
        cycle, receive = ready + timing.send_cycles, 0
        for link in net.routes.path(int(source), int(target)):
            wire = reservations[link].reserve(cycle, line_cycles)
            receive = wire + latency[link] + timing.guard_cycles
            cycle = receive + timing.pass_cycles
        latencies[index] = receive + timing.receive_cycles - ready
    return latencies
