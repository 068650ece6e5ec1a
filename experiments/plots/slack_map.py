"""Slack map of a run: the least slack of every link by receiving chip and port.

Each band is a rack, with a column for each receiving chip and a row for each of its
ports. Beside the map is a histogram of slack by level of the topology.
"""

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from numpy.typing import NDArray

from experiments.plots.run_figure import STYLE
from experiments.run.scenario import Run
from experiments.tables.run_tables import links_table
from specs.units import NS_PER_S
from topologies.topology import Topology

_LEVELS = ("local", "rack", "global")
_UNUSED, _LATE = "0.88", "red"
# In racks of more nodes, labels have room for the number alone.
_NODES_NAMED = 12
# Height of all bands together, so that 145 racks fit a figure.
_MOST_INCHES = 30
_MOST_BINS = 120


def slack_figure(run: Run) -> Figure:
    """Return the plot of a run's slack map."""
    with matplotlib.style.context(STYLE):
        racks = _racks(run)
        figure = Figure(
            figsize=(11, 2.6 + min(0.62 * racks, _MOST_INCHES)), layout="constrained"
        )
        draw_slack(figure, run)
    return figure


def draw_slack(figure: FigureBase, run: Run) -> None:
    """Plot the slack map and the histogram of a run into a figure or a subfigure."""
    table = links_table(run)
    used = table[table["min_slack_cycles"].notna()]
    least = used["min_slack_cycles"].min()
    chips = run.prepared.plan.strategy.chips
    title = f"{run.prepared.name} on {chips} chips, {run.prepared.plan.strategy}"
    if len(used):
        title += (
            f": a vector was {-least:,.1f} cycles late"
            if least < 0
            else f": no vector was there less than {least:,.1f} cycles early"
        )
    figure.suptitle(title, size="medium")
    axes = figure.subplots(1, 2, width_ratios=[2.6, 1])
    _draw_map(figure, axes[0], run, table)
    _draw_levels(axes[1], run, used)


def slack_cells(topology: Topology, slack_cycles: NDArray[np.float64]) -> pd.DataFrame:
    """Return the cell of each directed link on the plotted slack map.

    Parameters
    ----------
    topology
        Topology of the links.
    slack_cycles
        Least slack of each directed link, NaN if it is not used.

    Returns
    -------
    DataFrame
        Columns rack (counted from 0), column (position of the receiving chip in its
        rack), port, slack_cycles.
    """
    rack, column = _places(topology)
    return pd.DataFrame(
        {
            "rack": rack[topology.target],
            "column": column[topology.target],
            "port": topology.target_port,
            "slack_cycles": slack_cycles,
        }
    )


def _places(topology: Topology) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the band of each chip, and its column there by node and number."""
    rack = np.unique(topology.rack, return_inverse=True)[1]
    order = np.lexsort((topology.node, rack))
    column = np.empty(topology.chips, dtype=np.int64)
    begin = np.searchsorted(rack[order], rack[order])
    column[order] = np.arange(topology.chips) - begin
    return rack.astype(np.int64), column


def _racks(run: Run) -> int:
    """Return the number of racks."""
    return len(np.unique(run.prepared.topology.rack))


def _draw_map(figure: FigureBase, axes: Axes, run: Run, table: pd.DataFrame) -> None:
    """Draw the least slack of each link as a grid of chips and ports."""
    topology = run.prepared.topology
    guard_cycles = run.schedule.program.guard_cycles
    cells = slack_cells(topology, table["min_slack_cycles"].to_numpy(dtype=np.float64))
    # A row for each port, and an empty row between racks.
    ports = topology.ports_per_chip
    rows = (cells["rack"] * (ports + 1) + cells["port"]).to_numpy()
    racks, width = _racks(run), int(np.bincount(topology.rack).max())
    grid = np.full((racks * (ports + 1) - 1, width), np.nan)
    grid[rows, cells["column"]] = cells["slack_cycles"]
    known = grid[~np.isnan(grid)]
    cmap = matplotlib.colormaps["viridis"].with_extremes(bad=_UNUSED, under=_LATE)
    image = axes.imshow(
        grid,
        aspect="auto",
        cmap=cmap,
        vmin=0,
        vmax=max(float(guard_cycles), float(known.max(initial=1.0))),
        interpolation="nearest",
    )
    for rack in range(1, racks):
        between = rack * (ports + 1) - 1
        axes.axhspan(between - 0.5, between + 0.5, color="white")
    nodes = np.sort(topology.node[topology.rack == topology.rack.min()])
    starts = np.flatnonzero(np.diff(nodes, prepend=-1))
    axes.vlines(starts[1:] - 0.5, -0.5, len(grid) - 0.5, color="white", linewidth=1)
    axes.set_xticks(
        starts + width / len(starts) / 2 - 0.5, _node_names(len(starts)), size=8
    )
    axes.set_yticks(
        [rack * (ports + 1) + (ports - 1) / 2 for rack in range(racks)],
        [f"rack {rack}" for rack in range(racks)],
        size=8,
    )
    axes.tick_params(length=0)
    axes.set_xlabel(
        f"receiving chip, by node; its {ports} ports from top to bottom; "
        f"grey: carries nothing, red: late",
        size=9,
    )
    bar = figure.colorbar(image, ax=axes, pad=0.01)
    bar.set_label("least slack (cycles)")


def _node_names(nodes: int) -> list[str]:
    """Return the labels of the nodes of a rack."""
    return [
        f"node {number}" if nodes <= _NODES_NAMED else str(number)
        for number in range(nodes)
    ]


def _draw_levels(axes: Axes, run: Run, used: pd.DataFrame) -> None:
    """Draw the histogram of the least slack of links, stacked by level."""
    guard_cycles = run.schedule.program.guard_cycles
    hz = run.prepared.machine.chip.clock_hz
    low = min(0.0, float(used["min_slack_cycles"].min())) if len(used) else 0.0
    high = max(float(used["min_slack_cycles"].max()) if len(used) else 0.0, 1.0)
    top = max(np.ceil(high), float(guard_cycles)) + 1
    # Bins of a cycle, or wider ones if there would be too many.
    width = max(1.0, np.ceil((top - low) / _MOST_BINS))
    bins = np.arange(np.floor(low / width) * width, top + width, width)
    of_level = {
        level: used.loc[used["level"] == level, "min_slack_cycles"] for level in _LEVELS
    }
    shown = {level: slack for level, slack in of_level.items() if len(slack)}
    axes.axvspan(0, guard_cycles, color="0.93", zorder=0)
    if shown:
        axes.hist(
            list(shown.values()),
            bins=bins.tolist(),
            stacked=True,
            label=[f"{level} ({len(slack):,})" for level, slack in shown.items()],
        )
        axes.legend(frameon=False, fontsize="small", loc="upper left")
    axes.axvline(0, color="black", linewidth=1)
    axes.axvline(guard_cycles, color="black", linewidth=1, linestyle="--")
    guard_ns = guard_cycles / hz * NS_PER_S
    axes.set(
        xlabel="least slack of a link (cycles)\n"
        f"grey: guard band, {guard_cycles} cycles = {guard_ns:.0f} ns",
        ylabel="links",
    )
    axes.set_title("To the left of 0 a vector is late", loc="left", size="medium")
