"""Link latency as half a round trip: simulated exchanges, and the measured table."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fabric.clocks.crystals import make_clocks
from fabric.clocks.link_bring_up import HacExchanges
from fabric.links.latency import Jitter, least_latency_ps
from fabric.random_streams import Draws
from specs.machine import load_machine
from topologies.builders.node import node_topology

EXCHANGES, QUICK_EXCHANGES = 100_000, 10_000


class LinkMeasurement(NamedTuple):
    """Measured latency of one link in cycles: a row of isca22 table 2."""

    link: str
    least: int
    mean: float
    most: int
    deviation: float


TABLE_2 = (
    LinkMeasurement("A", 209, 216.87, 228, 2.93),
    LinkMeasurement("B", 210, 216.87, 227, 2.88),
    LinkMeasurement("C", 209, 216.41, 226, 2.66),
    LinkMeasurement("D", 210, 216.47, 226, 2.71),
    LinkMeasurement("E", 209, 216.27, 226, 2.78),
    LinkMeasurement("F", 209, 216.48, 225, 2.63),
    LinkMeasurement("G", 211, 217.35, 228, 2.84),
)


def half_round_trips(seed: int, exchanges: int) -> NDArray[np.int64]:
    """Return half of each round trip in cycles, to validate against published table 2.

    They go from chip 0 of a node to its seven neighbours, each with its own crystal.
    The shape is ``(exchanges, 7)``.
    """
    machine, topology, draws = load_machine(), node_topology(), Draws(seed)
    links = np.array(topology.out_links(0))
    measured = HacExchanges(
        machine,
        topology,
        links,
        clocks=make_clocks(machine, topology.chips, 0, draws).initial,
        least_ps=least_latency_ps(machine, topology),
        jitter=Jitter(machine, topology),
        draws=draws,
    )
    trips, _ = measured.measure(0, exchanges)
    return trips // 2
