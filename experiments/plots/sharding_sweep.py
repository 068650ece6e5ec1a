"""Figure of `sharding_sweep`: heat map of the space, breakdowns, and Pareto front."""

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from experiments.plots.run_figure import STYLE

CAUSES = ("compute", "link", "guard", "alignment", "deskew", "fec", "wait")
_STATES = ("front", "beaten", "bound")
# Cells of the heat map along each axis; both axes are logarithmic.
_CELLS = 36


def sharding_sweep_figure(
    table: pd.DataFrame, space: pd.DataFrame, points: pd.DataFrame, title: str
) -> Figure:
    """Return the plot: heat map of the space, breakdowns, and the Pareto front.

    Parameters
    ----------
    table
        A row for each simulated strategy.
    space
        A row for each strategy that may fit, with its latency bound.
    points
        Points of the Pareto front, those beaten, and bounds, with the gap of the front.
    title
        Title of the figure.
    """
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(15, 4.8), layout="constrained")
        heat, spent, pareto = figure.subplots(1, 3, width_ratios=[1.15, 1, 1])
        _draw_heat_map(heat, space, table)
        _draw_breakdown(spent, table)
        _draw_pareto(pareto, points)
        figure.suptitle(title)
    return figure


def _draw_heat_map(axes: Axes, space: pd.DataFrame, table: pd.DataFrame) -> None:
    """Draw the least latency bound of the strategies in each cell."""
    x, y = np.log2(space["tensor"]), np.log2(space["pipeline"])
    edges = [np.linspace(-0.1, v.max() + 0.1, _CELLS + 1) for v in (x, y)]
    column = np.digitize(x, edges[0]) - 1
    row = np.digitize(y, edges[1]) - 1
    cells = np.full((_CELLS, _CELLS), np.inf)
    np.minimum.at(cells, (row, column), space["latency_bound_us"])
    shown = np.ma.masked_invalid(np.where(np.isinf(cells), np.nan, cells))
    mesh = axes.pcolormesh(
        2 ** edges[0], 2 ** edges[1], shown, norm=LogNorm(), cmap="viridis_r"
    )
    label = "latency at least (us)"
    axes.figure.colorbar(mesh, ax=axes, label=label)
    ran = table[table["feasible"]]
    grid = ran["strategy"].str.contains("layout=2d")
    given = ran["split"] == "given"
    for label, chosen, marker, size in (
        ("simulated in rows", given & ~grid, "o", 22),
        ("simulated in a grid", given & grid, "+", 60),
        ("the planner's best", ~given, "*", 150),
    ):
        part = ran[chosen]
        if part.empty:
            continue
        shapes = (
            part["strategy"].str.extract(r"tensor=(\d+),pipeline=(\d+)").astype(int)
        )
        axes.scatter(
            shapes[0],
            shapes[1],
            s=size,
            marker=marker,
            color="black" if marker == "+" else "white",
            edgecolor=None if marker == "+" else "black",
            label=label,
            zorder=3,
        )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set(xlabel="tensor", ylabel="pipeline")
    axes.set_title(f"All {len(space):,} that memory may hold", loc="left")
    axes.legend(frameon=True, fontsize="small", loc="upper right")


def _draw_breakdown(axes: Axes, table: pd.DataFrame) -> None:
    """Draw the latency of each simulated strategy by cause."""
    ran = table[table["feasible"]]
    labels = [
        str(strategy)
        .replace("tensor=", "")
        .replace(",pipeline=", "x")
        .replace(",layout=", " ")
        + (" auto" if split == "auto" else "")
        for split, strategy in zip(ran["split"], ran["strategy"], strict=True)
    ]
    bottom = pd.Series(0.0, index=ran.index)
    for cause in CAUSES:
        axes.bar(labels, ran[f"{cause}_us"], bottom=bottom, label=cause)
        bottom += ran[f"{cause}_us"]
    axes.tick_params(axis="x", rotation=90, labelsize=7)
    axes.set(
        xlabel="tensor x pipeline",
        ylabel="latency of a token (us)",
        ylim=(0, 1.35 * bottom.max()),
    )
    axes.set_title("One user: where a token's time goes", loc="left")
    axes.legend(frameon=False, ncols=3, fontsize="small", loc="upper center")


def _draw_pareto(axes: Axes, points: pd.DataFrame) -> None:
    """Draw the Pareto front by latency and throughput, with chips as colour."""
    by_state = {state: points[points["state"] == state] for state in _STATES}
    front, left = by_state["front"], by_state["bound"]
    for state, label, color in (
        ("bound", "not looked at: at best", "#a6d8e8"),
        ("beaten", "known to the cycle, but beaten", "0.7"),
    ):
        part = by_state[state]
        if not part.empty:
            axes.scatter(
                part["latency_us"],
                part["tokens_per_s_all_users"],
                s=4 if state == "bound" else 10,
                color=color,
                label=label,
            )
    marks = axes.scatter(
        front["latency_us"],
        front["tokens_per_s_all_users"],
        c=front["chips"],
        cmap="plasma",
        s=34,
        zorder=3,
        label="Pareto front",
    )
    axes.figure.colorbar(marks, ax=axes, label="chips")
    axes.set(
        xlabel="latency of a token (us)",
        ylabel="tokens/s of all users",
        xlim=(0, 1.3 * front["latency_us"].max()),
        yscale="log",
    )
    # Leave room for the legend and for the note on the gap.
    low, high = points["tokens_per_s_all_users"].agg(["min", "max"])
    span = high / low
    axes.set_ylim(low / span**0.2, high * span**0.35)
    axes.set_title("Latency, throughput, chips", loc="left")
    if not left.empty:
        axes.text(
            0.98,
            0.02,
            f"{len(left):,} not looked at: each has a point on the front\n"
            f"no more than {points['gap'].iloc[0]:.0%} worse in any respect",
            transform=axes.transAxes,
            ha="right",
            size="small",
            color="0.3",
        )
    axes.legend(frameon=False, fontsize="small", loc="upper right")
