"""Timetable of recurring slots: a static schedule for traffic that nobody foresees."""

from itertools import pairwise
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from compiler.cost.link_timing import serialisation_cycles
from experiments.traffic.traffic_schedule import UNDISTURBED, Network
from fabric.reactive.traffic import Messages
from specs.arrays import Ints
from specs.errors import ScheduleError
from specs.units import PS_PER_S, ceil_div
from topologies.routing.static_routes import chip_pairs


@final
class Timetable(NamedTuple):
    """Recurring slots: one message from every chip to every other in each period.

    Attributes
    ----------
    period_cycles
        Length of the period.
    wire_cycles
        When a message enters each wire of its route, by source and target; the first
        cycle lies in the first period.
    latency_cycles
        From when it must be ready until it is in SRAM of the target, by source and
        target.
    """

    period_cycles: int
    wire_cycles: dict[tuple[int, int], tuple[int, ...]]
    latency_cycles: dict[tuple[int, int], int]


def timetable(net: Network, load: float) -> Timetable:
    """Return the timetable of slots for uniform traffic at a share of its bound.

    Messages with the most hops are scheduled first. Each takes the start from which it
    waits least on its route. Every link has a free slot, since the busiest has enough.

    Parameters
    ----------
    net
        The machine.
    load
        Share of the bound; slots of whole cycles and deskews leave less than 1.

    Raises
    ------
    ScheduleError
        If the load is above that.
    """
    timing = net.timing
    slot_cycles = serialisation_cycles(net.machine, 1)
    full_cycles = net.busiest * net.vector_ps * net.machine.chip.clock_hz / PS_PER_S
    # Chips send nothing while they deskew: the period in between is shorter.
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
    pairs = chip_pairs(net.topology)
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
        travel = entered[pair][-1] - entered[pair][0] + flight
        latency[pair] = timing.send_cycles + travel + timing.receive_cycles
    return Timetable(period, entered, latency)


def unforeseen_cycles(net: Network, slots: Timetable, sent: Messages) -> Ints:
    """Return the latency of each message of traffic that nobody foresees.

    In cycles. A message waits for the next slot of its pair that no earlier one takes.
    """
    ready_cycles = -(-sent.ready_ps * net.machine.chip.clock_hz // PS_PER_S)
    next_start: dict[tuple[int, int], int] = {}
    latencies = np.empty(len(sent), dtype=np.int64)
    period = slots.period_cycles
    ends = zip(sent.source.tolist(), sent.target.tolist(), strict=True)
    rows = zip(ends, ready_cycles.tolist(), strict=True)
    for index, (pair, ready) in enumerate(rows):
        start = slots.wire_cycles[pair][0] - net.timing.send_cycles
        earliest = max(ready, next_start.get(pair, ready))
        at = start + ceil_div(earliest - start, period) * period
        next_start[pair] = at + period
        latencies[index] = at - ready + slots.latency_cycles[pair]
    return latencies


def _next_free(
    free: NDArray[np.bool_], ready: Ints, slot_cycles: int, period: int
) -> Ints:
    """Return the start of the first slot free of traffic from each cycle of `ready`."""
    places = np.flatnonzero(free)
    turn, cycle = np.divmod(ready, period)
    index = np.searchsorted(places, -(-cycle // slot_cycles))
    around = index == len(places)
    first: Ints = places[np.where(around, 0, index)] * slot_cycles
    first += (turn + around) * period
    return first
