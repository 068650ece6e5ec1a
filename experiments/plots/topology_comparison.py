"""Figure of topologies compared: latency of a token, and uniform traffic."""

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.plots.run_figure import STYLE

EQUAL_CHIPS, EQUAL_CABLES = "equal chips", "equal cables"
# Cables a chip count as equal within this many percent.
_EQUAL_PERCENT = 0.5


def topology_comparison_figure(table: pd.DataFrame) -> Figure:
    """Return the figure of latency and of uniform traffic, a bar for each topology.

    Parameters
    ----------
    table
        Table of :mod:`experiments.topology_comparison`.

    Returns
    -------
    Figure
        A row of two panels for each number of chips.
    """
    sizes = list(dict.fromkeys(table["chips"]))
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(12, 5 * len(sizes)), layout="constrained")
        panels = figure.subplots(len(sizes), 2, squeeze=False)
        for (left, right), chips in zip(panels, sizes, strict=True):
            part = table[table["chips"] == chips]
            wirings = part.drop_duplicates(["topology", "equal"])
            # A gap between what is equal; the first at the top.
            gap = 0.8 * (wirings["equal"] == EQUAL_CABLES).to_numpy()
            place = np.arange(len(wirings)) + gap
            _latencies(left, part, wirings, place)
            _traffic(right, wirings, place)
            left.set_yticks(place, wirings["topology"])
            right.set_yticks(place, [])
            for axes in (left, right):
                axes.invert_yaxis()
                axes.legend(
                    frameon=False,
                    loc="upper center",
                    bbox_to_anchor=(0.4, -0.1),
                    ncols=2,
                )
    return figure


def _latencies(
    axes: Axes, table: pd.DataFrame, wirings: pd.DataFrame, place: NDArray[np.float64]
) -> None:
    """Draw the experiment's latency of each wiring, a bar for each strategy."""
    names = list(zip(wirings["topology"], wirings["equal"], strict=True))
    by_strategy = list(table.groupby("strategy", sort=False))
    height = 0.8 / len(by_strategy)
    for index, (strategy, part) in enumerate(by_strategy):
        latency = part.set_index(["topology", "equal"])["latency_us"].reindex(names)
        at = place + (index - (len(by_strategy) - 1) / 2) * height
        bars = axes.barh(at, latency.fillna(0), height, label=str(strategy))
        texts = ["refused" if np.isnan(us) else f"{us:,.0f}" for us in latency]
        axes.bar_label(bars, texts, fontsize=8, padding=2)
    axes.margins(x=0.12, y=0.06)
    axes.set(xlabel="latency of a token (us)")
    # Each group begins with a line of its own.
    for equal, part in wirings.assign(at=place).groupby("equal", sort=False):
        axes.text(0, part["at"].min() - 0.5, f" at {equal}", fontsize=8, color="0.35")
    found = "none holds it"
    if table["feasible"].any():
        fastest = table.nsmallest(1, "latency_us").iloc[0]
        found = f"{fastest['topology']} is fastest"
    axes.set_title(
        f"{table['model'].iloc[0]}, {table['chips'].iloc[0]:,} chips: {found}\n"
        "each placed by its own paths (--placement auto)",
        loc="left",
        fontsize="medium",
    )


def _traffic(axes: Axes, wirings: pd.DataFrame, place: NDArray[np.float64]) -> None:
    """Draw the experiment's uniform traffic of each topology, with cables and hops."""
    bound, minimal = (
        wirings[f"uniform_{which}_gb_per_s"] for which in ("bound", "minimal")
    )
    bars = axes.barh(place, bound, 0.8, color="#c5d7ea", label="bound by hops")
    axes.barh(place, minimal, 0.8, color="C0", label="minimal paths, all alike")
    facts = [
        f"{cables:.3g} cables a chip{_unequal(more)}, {hops:.1f} hops"
        for cables, more, hops in zip(
            wirings["cables_per_chip"],
            wirings["more_cables_percent"].where(wirings["equal"] == EQUAL_CABLES, 0),
            wirings["mean_hops"],
            strict=True,
        )
    ]
    axes.bar_label(bars, facts, fontsize=8, padding=3)
    axes.set(xlim=(0, 1.75 * bound.max()), xlabel="traffic that a chip sends (GB/s)")
    axes.set_title(
        "Uniform traffic\nand what it travels on", loc="left", fontsize="medium"
    )


def _unequal(percent: float) -> str:
    """Return by how much cables differ from those of the first, for the picture."""
    return "" if abs(percent) < _EQUAL_PERCENT else f" ({percent:+.0f} %)"
