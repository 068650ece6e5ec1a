"""Link latency as half a round trip: simulated exchanges, and the measured table."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.validation.published_figures import figures_of
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


TABLE_2 = tuple(
    LinkMeasurement(
        link=mean.label.removeprefix("link "),
        least=mean.at["least"],
        mean=mean.ends[0],
        most=mean.at["most"],
        deviation=deviation.ends[0],
    )
    for mean, deviation in zip(
        figures_of("Mean link latency"),
        figures_of("Deviation of the link latency"),
        strict=True,
    )
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
