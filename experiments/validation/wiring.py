"""Comparisons with published figures of the topology: sizes and diameters."""

import numpy as np

from experiments.validation.row import FigureKind, PublishedFigure
from specs.machine import load_machine
from topologies.metrics.summary import describe
from topologies.selection import select_topology
from topologies.topology import Level, Topology

_NODE_CHIPS, _RACK_CHIPS, _NODES33_CHIPS, _ALL_CHIPS = 8, 72, 264, 10_440
_PUBLISHED_HOPS = 5


def wiring_rows() -> list[PublishedFigure]:
    """Return comparisons of sizes and diameters with published figures.

    Sizes are inputs, diameters are predicted.
    """
    return [*_sizes(), *_distances()]


def _sizes() -> list[PublishedFigure]:
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
    ports = load_machine().chip.ports
    figures = [
        ("cables of a node", 28, node.links, "cables"),
        ("outward ports of a node", 32, 8 * ports - 2 * node.links, "ports"),
        ("chips of the 33-node system", 264, nodes33.chips, "chips"),
        ("chips of a rack", 72, rack.chips, "chips"),
        ("ports inside a rack", 144, _ports(racks, Level.RACK), "ports"),
        ("ports out of a rack", 144, _ports(racks, Level.GLOBAL), "ports"),
        ("racks of the largest system", 145, int(whole.rack.max()) + 1, "racks"),
        ("chips of 145 racks", _ALL_CHIPS, whole.chips, "chips"),
        ("cables of 145 racks", 57_420, whole.links, "cables"),
        ("most cables of a pair of 145 racks", 1, _most_of_a_pair(whole), "cables"),
    ]
    return [
        _figure(name, published, ours, unit) for name, published, ours, unit in figures
    ]


def _distances() -> list[PublishedFigure]:
    """Return comparisons with published diameters; of 145 racks in each port order.

    The published rule is not known. If every hop counts, no known order has a diameter
    below six, and linear orders have seven.
    """
    rows = [
        _diameter(
            "diameter of the 33-node system",
            3,
            describe(select_topology(_NODES33_CHIPS, "nodes33")).diameter_hops,
        )
    ]
    for order in ("costas", "annealed", "palmtree"):
        description = describe(select_topology(_ALL_CHIPS, f"dragonfly:{order}"))
        rows += [
            _diameter(
                f"diameter of 145 racks, {order}, gateway rule",
                _PUBLISHED_HOPS,
                description.diameter_gateway_hops,
            ),
            _diameter(
                f"diameter of 145 racks, {order}, every hop",
                _PUBLISHED_HOPS,
                description.diameter_hops,
                tolerance=0.4,
            ),
        ]
    return rows


def _diameter(
    name: str, published: int, ours: int, *, tolerance: float = 0.0
) -> PublishedFigure:
    """Return the comparison of a diameter with a published one, in hops."""
    return _figure(
        name, published, ours, "hops", tolerance=tolerance, kind=FigureKind.PREDICTED
    )


def _most_of_a_pair(topology: Topology) -> int:
    """Return the most cables that join any two racks, to validate them."""
    racks = int(topology.rack.max()) + 1
    between = topology.level == Level.GLOBAL
    source = topology.rack[topology.source[between]].astype(np.int64)
    return int(
        np.bincount(source * racks + topology.rack[topology.target[between]]).max()
    )


def _figure(
    name: str,
    published: int,
    ours: int,
    unit: str,
    *,
    tolerance: float = 0.0,
    kind: FigureKind = FigureKind.INPUT,
) -> PublishedFigure:
    """Return a comparison with a published figure of the topology."""
    return PublishedFigure(
        name=name,
        source="isca22",
        published=published,
        ours=ours,
        unit=unit,
        tolerance=tolerance,
        kind=kind,
    )


def _ports(topology: Topology, level: Level) -> int:
    """Return the ports of one rack that cables of `level` use, to validate them."""
    of_level = topology.level == level
    return int((of_level & (topology.rack[topology.source] == 0)).sum())
