"""Comparisons with published figures of the topology: sizes and diameters."""

import numpy as np

from experiments.validation.comparison import Comparison, compared
from experiments.validation.published_figures import figures_of
from specs.machine import load_machine
from topologies.metrics.summary import describe
from topologies.selection import select_topology
from topologies.spare_nodes import select_with_spares
from topologies.topology import Level, Topology

_NODE_CHIPS, _RACK_CHIPS, _NODES33_CHIPS, _ALL_CHIPS = 8, 72, 264, 10_440
_DIAMETER = "Diameter, every hop counted"
_GATEWAY_DIAMETER = "Diameter by the gateway rule"


def wiring_rows() -> list[Comparison]:
    """Return comparisons of sizes and diameters with published figures.

    Sizes are inputs, diameters are predicted.
    """
    return [*_sizes(), *_distances()]


def _sizes() -> list[Comparison]:
    """Return comparisons with published numbers of chips, ports and cables."""
    node, rack, racks, nodes33, whole = (
        select_topology(chips, kind)
        for chips, kind in (
            (_NODE_CHIPS, "node"),
            (_RACK_CHIPS, "rack"),
            (2 * _RACK_CHIPS, "dragonfly"),
            (_NODES33_CHIPS, "nodes33"),
            (_ALL_CHIPS, "dragonfly"),
        )
    )
    machine = load_machine()
    return compared(
        "Sizes of the machine",
        {
            "cables of a node": node.links,
            "outward ports of a node": 8 * machine.chip.ports - 2 * node.links,
            "chips of 33 nodes": nodes33.chips,
            "chips of a rack": rack.chips,
            "ports inside a rack": _ports(racks, Level.RACK),
            "ports out of a rack": _ports(racks, Level.GLOBAL),
            "racks at most": int(whole.rack.max()) + 1,
            "chips of 145 racks": whole.chips,
            "cables of 145 racks": whole.links,
            "cables of two racks": _most_of_a_pair(whole),
            "vector on the wire": machine.link.wire_bytes,
            "spare chips of a rack": _spare_share(_RACK_CHIPS, "rack"),
            "spare chips of 33 nodes": _spare_share(_NODES33_CHIPS, "nodes33"),
        },
    )


def _spare_share(chips: int, kind: str) -> float:
    """Return the share of a system's chips in one spare node, to validate it."""
    system = select_with_spares(chips - _NODE_CHIPS, kind, spare_nodes=1)
    return 1 - system.active_chips / system.chips


def _distances() -> list[Comparison]:
    """Return comparisons with published diameters; of 145 racks in each port order."""
    nodes33 = describe(select_topology(_NODES33_CHIPS, "nodes33"))
    hops, gateway_hops = {"33 nodes": nodes33.diameter_hops}, {}
    for figure in figures_of(_GATEWAY_DIAMETER):
        order = figure.label.rpartition(" ")[2]
        racks = describe(select_topology(_ALL_CHIPS, f"dragonfly:{order}"))
        hops[figure.label] = racks.diameter_hops
        gateway_hops[figure.label] = racks.diameter_gateway_hops
    return [*compared(_DIAMETER, hops), *compared(_GATEWAY_DIAMETER, gateway_hops)]


def _most_of_a_pair(topology: Topology) -> int:
    """Return the most cables that join any two racks, to validate them."""
    racks = int(topology.rack.max()) + 1
    between = topology.level == Level.GLOBAL
    source = topology.rack[topology.source[between]].astype(np.int64)
    return int(
        np.bincount(source * racks + topology.rack[topology.target[between]]).max()
    )


def _ports(topology: Topology, level: Level) -> int:
    """Return the ports of one rack that cables of `level` use, to validate them."""
    of_level = topology.level == level
    return int((of_level & (topology.rack[topology.source] == 0)).sum())
