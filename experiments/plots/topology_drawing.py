"""Drawing of a topology: chips in nodes, nodes in racks, cables by level."""

import math

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.plots.run_figure import STYLE
from topologies.topology import Level, Topology

# In drawing order: the many long cables thin and behind, the short ones on top.
_COLOURS = {Level.GLOBAL: "C1", Level.RACK: "C2", Level.LOCAL: "C0"}
_WIDTHS_POINTS = {Level.GLOBAL: 0.8, Level.RACK: 1.1, Level.LOCAL: 1.8}
# Largest topology whose cables are drawn at full width and opacity.
_FEW_CHIPS = 72
# Largest topologies with room for the number of each chip, and of each node.
_NUMBERED_CHIPS, _NUMBERED_NODES = 72, 81
# Largest topologies with room for large numbers, and for the word before them.
_FEW_NUMBERS, _FEW_NODES = 24, 9
_CHIP_DIAMETER = 0.62
# Half the distance of neighbouring chips.
_CHIP_RADIUS = 0.5
# Gaps between groups, in distances of neighbouring chips.
_NODE_GAP, _RACK_GAP = 2.2, 5.0


def topology_figure(topology: Topology) -> Figure:
    """Return the plot of a topology: chips in nodes and racks, and their cables.

    The chips of a node form a ring, and so do the nodes of a rack and the racks. A chip
    without work is hollow. Parallel cables are one line of proportional width.
    """
    place = chip_places(topology)
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(10, 10.6), layout="constrained")
        axes = figure.subplots()
        axes.set_aspect("equal")
        axes.axis("off")
        _cables(axes, topology, place)
        _chips(axes, topology, place)
        _names(axes, topology, place)
        axes.autoscale_view()
        figure.suptitle(
            f"{topology.name}: {topology.chips:,} chips, {topology.links:,} cables",
            fontsize="x-large",
        )
        figure.legend(
            *axes.get_legend_handles_labels(),
            loc="outside lower center",
            ncols=4,
            frameon=False,
            fontsize="large",
        )
    return figure


def chip_places(topology: Topology) -> NDArray[np.float64]:
    """Return where to plot each chip, shape ``(chips, 2)``; neighbours 1 apart."""
    place = np.zeros((topology.chips, 2))
    radius = np.full(topology.chips, _CHIP_RADIUS)
    member = np.arange(topology.chips, dtype=np.int32)
    for group, gap in (
        (topology.node, 0.0),
        (topology.rack, _NODE_GAP),
        (np.zeros(topology.chips, np.int32), _RACK_GAP),
    ):
        place, radius = _ringed(place, radius, member, group, gap)
        member = group
    return place


def _ringed(
    place: NDArray[np.float64],
    radius: NDArray[np.float64],
    member: NDArray[np.int32],
    group: NDArray[np.int32],
    gap: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Put the members of each group on a ring; return positions and group radii."""
    place, outer = place.copy(), radius.copy()
    for number in np.unique(group):
        inside = group == number
        members, of_chip = np.unique(member[inside], return_inverse=True)
        if len(members) == 1:
            continue
        widest = float(radius[inside].max())
        # Chips without nodes are as close as those of a node.
        gap = gap if widest > _CHIP_RADIUS else 0.0
        ring = (widest + gap / 2) / math.sin(math.pi / len(members))
        # The first at the top, the others clockwise.
        angle = math.pi / 2 - 2 * math.pi * np.arange(len(members)) / len(members)
        centre = ring * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        place[inside] += centre[of_chip]
        outer[inside] = ring + widest
    return place, outer


def _cables(axes: Axes, topology: Topology, place: NDArray[np.float64]) -> None:
    """Draw the cables of each level, and its entry of the legend."""
    ends = np.stack([topology.source[::2], topology.target[::2]], axis=1)
    level, length_m = topology.level[::2], topology.length_m[::2]
    # The more chips, the thinner the cables.
    thinner = min(1.0, (_FEW_CHIPS / topology.chips) ** 0.4)
    for of_level, colour in _COLOURS.items():
        here = level == of_level
        if not here.any():
            continue
        pairs, lanes = np.unique(
            np.sort(ends[here], axis=1), axis=0, return_counts=True
        )
        lengths = np.unique(length_m[here])
        axes.add_collection(
            LineCollection(
                list(place[pairs]),
                colors=colour,
                linewidths=_WIDTHS_POINTS[of_level] * thinner * lanes,
                alpha=0.35 + 0.5 * thinner,
            )
        )
        axes.plot(
            [],
            [],
            color=colour,
            linewidth=2 * _WIDTHS_POINTS[of_level],
            label=f"{np.count_nonzero(here):,} {of_level.label} "
            f"({' and '.join(f'{length:g}' for length in lengths)} m)",
        )


def _chips(axes: Axes, topology: Topology, place: NDArray[np.float64]) -> None:
    """Draw the chips, with their numbers if there is room."""
    working = np.zeros(topology.chips, dtype=bool)
    working[topology.active] = True
    size = np.full(topology.chips, _CHIP_DIAMETER)
    axes.add_collection(
        EllipseCollection(
            size,
            size,
            np.zeros(topology.chips),
            offsets=place,
            units="xy",
            offset_transform=axes.transData,
            facecolors=np.where(working, "#2b2b2b", "white").tolist(),
            edgecolors="#2b2b2b",
            linewidths=0.6,
            zorder=3,
        )
    )
    axes.update_datalim(np.concatenate([place - 0.5, place + 0.5]))
    if not working.all():
        idle = topology.chips - topology.active_chips
        axes.plot(
            [],
            [],
            linestyle="none",
            marker="o",
            markerfacecolor="white",
            markeredgecolor="#2b2b2b",
            label=f"{idle:,} chips that only forward",
        )
    if topology.chips > _NUMBERED_CHIPS:
        return
    for chip, (x, y) in enumerate(place.tolist()):
        axes.text(
            x,
            y,
            str(chip),
            color="white" if working[chip] else "#2b2b2b",
            fontsize=13 if topology.chips <= _FEW_NUMBERS else 7,
            ha="center",
            va="center",
            zorder=4,
        )


def _names(axes: Axes, topology: Topology, place: NDArray[np.float64]) -> None:
    """Write the number of each node outside of its ring, and of each rack inside."""
    racks = np.unique(topology.rack)
    all_nodes = len(np.unique(topology.node))
    if all_nodes > _NUMBERED_NODES:
        return
    word = "node " if all_nodes <= _FEW_NODES else ""
    for rack in racks.tolist():
        in_rack = topology.rack == rack
        middle = place[in_rack].mean(axis=0)
        nodes = np.unique(topology.node[in_rack])
        if len(racks) > 1:
            _write(axes, middle, f"rack {rack}", 11)
        if not 1 < len(nodes) < np.count_nonzero(in_rack):
            continue
        for node in nodes.tolist():
            chips = place[topology.node == node]
            outward = chips.mean(axis=0) - middle
            reach = float(np.linalg.norm(chips - chips.mean(axis=0), axis=1).max()) + 1
            at = chips.mean(axis=0) + outward / np.linalg.norm(outward) * reach
            _write(axes, at, f"{word}{node}", 9)


def _write(axes: Axes, at: NDArray[np.float64], text: str, size: int) -> None:
    """Write a centred text on a white box."""
    axes.text(
        float(at[0]),
        float(at[1]),
        text,
        fontsize=size,
        ha="center",
        va="center",
        zorder=5,
        bbox={"boxstyle": "round,pad=0.1", "color": "white", "alpha": 0.8},
    )
