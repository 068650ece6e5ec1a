"""Late vectors: the odds that a link's jitter exceeds what a schedule leaves for it."""

import numpy as np

from chip.program import Program
from fabric.links.latency import Jitter, least_latency_ps
from specs.arrays import Floats
from specs.machine import MachineSpec
from specs.units import PS_PER_S
from topologies.topology import Topology


def late_odds(
    program: Program,
    topology: Topology,
    machine: MachineSpec,
    *,
    slip_cycles: int = 0,
) -> Floats:
    """Return the odds that each train of an iteration is late on its link.

    A train is late if its jitter is more than the time from its earliest arrival to its
    RECEIVE. The jitter of a ``gaussian`` law rarely is, that of others never. The sum
    of the odds is the expected number of late trains in an iteration.

    Parameters
    ----------
    program
        Cycles at which trains enter the wire and are received.
    topology, machine
        Links, and their latency and jitter.
    slip_cycles
        Cycles by which each receiver is ahead of the sender. With as many as the guard
        band allows for, the result is an upper bound for all clocks.

    Returns
    -------
    Shape ``(trains,)``.
    """
    trains = program.trains
    flight = trains.receive_cycle - trains.wire_cycle - slip_cycles
    flight_ps = flight * PS_PER_S // machine.chip.clock_hz
    limit_ps = flight_ps - least_latency_ps(machine, topology)[trains.link]
    odds = Jitter(machine, topology).odds_beyond(trains.link, limit_ps)
    return np.asarray(odds, dtype=np.float64)
