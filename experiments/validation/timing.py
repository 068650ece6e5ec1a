"""Comparisons with published figures of links, start alignment and spare nodes."""

import simpy

from experiments.validation.link_round_trips import EXCHANGES, TABLE_2, half_round_trips
from experiments.validation.row import FigureKind, PublishedFigure
from fabric.clocks.aligned_crystals import make_crystals
from fabric.clocks.crystals import make_clocks
from fabric.clocks.start_propagation import propagate_start
from fabric.random_streams import Draws
from fabric.simpy_engine.start_alignment import Alignment
from specs.machine import load_machine
from topologies.routing.spanning_tree import alignment_tree
from topologies.selection import select_topology
from topologies.spare_nodes import select_with_spares

_SEED = 1
_RACK_CHIPS, _NODES33_CHIPS, _NODE_CHIPS = 72, 264, 8


def timing_rows() -> list[PublishedFigure]:
    """Return comparisons of link latency, alignment and spares with published ones."""
    return [*_links(), _alignment(), *_spares()]


def _links() -> list[PublishedFigure]:
    """Return comparisons with published table 2: mean and deviation of each link.

    The span of the jitter is that of the table. How close half a round trip comes to
    the ends of the span is predicted.
    """
    halves = half_round_trips(_SEED, EXCHANGES)
    rows = []
    for published, half in zip(TABLE_2, halves.T, strict=True):
        name = f"latency of link {published.link}"
        mean, deviation = float(half.mean()), float(half.std())
        rows += [
            _cycles(f"{name}, mean", published.mean, mean, tolerance=0.0023),
            _cycles(f"{name}, deviation", published.deviation, deviation),
        ]
    least = min(row.least for row in TABLE_2)
    most = max(row.most for row in TABLE_2)
    ends = (("least", least, halves.min()), ("most", most, halves.max()))
    return rows + [
        _cycles(
            f"latency of all links, {which}",
            published,
            int(ours),
            tolerance=0.01,
            kind=FigureKind.PREDICTED,
        )
        for which, published, ours in ends
    ]


def _cycles(
    name: str,
    published: float,
    ours: float,
    *,
    tolerance: float = 0.068,
    kind: FigureKind = FigureKind.CALIBRATED,
) -> PublishedFigure:
    """Return a comparison in cycles: means within 0.5, deviations within 0.2 cycles."""
    return PublishedFigure(
        name=name,
        source="isca22",
        published=published,
        ours=ours,
        unit="cycles",
        tolerance=tolerance,
        kind=kind,
    )


def _alignment() -> PublishedFigure:
    """Return the comparison with published epochs of the aligned start, on 33 nodes."""
    machine, draws = load_machine(), Draws(_SEED)
    topology = select_topology(_NODES33_CHIPS, "nodes33")
    tree = alignment_tree(topology, machine, 0)
    clocks = make_clocks(machine, topology.chips, 0, draws)
    crystals = make_crystals(machine, topology, tree, clocks=clocks, draws=draws)
    down = propagate_start(machine, topology, tree, draws)
    start = Alignment(simpy.Environment(), down, crystals).run()
    return PublishedFigure(
        name="start alignment, each level of the tree",
        source="isca22",
        published=1,
        ours=start.epochs / tree.height,
        unit="epochs",
        tolerance=0,
        kind=FigureKind.PREDICTED,
    )


def _spares() -> list[PublishedFigure]:
    """Return comparisons with the published share of chips in spare nodes."""
    systems = (
        ("a rack", "rack", _RACK_CHIPS, 0.111),
        ("the 33-node system", "nodes33", _NODES33_CHIPS, 0.03),
    )
    rows = []
    for where, kind, chips, published in systems:
        system = select_with_spares(chips - _NODE_CHIPS, kind, spare_nodes=1)
        rows.append(
            PublishedFigure(
                name=f"chips of {where} kept as spares",
                source="isca22",
                published=published,
                ours=1 - system.active_chips / system.chips,
                unit="fraction",
                tolerance=0.02,
                kind=FigureKind.INPUT,
            )
        )
    return rows
