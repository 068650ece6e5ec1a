"""Figure of `clock_drift`: first violations and error limits of drifting crystals."""

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.plots.run_figure import STYLE

_DECADE = (1, 2, 5)


def drift_figure(
    table: pd.DataFrame, curves: pd.DataFrame, limits: pd.DataFrame
) -> Figure:
    """Return the plot: first violations without deskews, and error limits with them.

    Parameters
    ----------
    table, curves
        First violations of chips that never deskew, and the closed forms.
    limits
        Crystal errors at which runs with deskews first break, a row for each seed.
    """
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(11.5, 5.4), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[1.45, 1])
        _draw_frontier(left, table, curves)
        _draw_limits(right, limits)
        figure.suptitle(
            "Llama-2-7B on a rack of 72 chips: crystals against the guard band",
            fontsize="large",
        )
    return figure


def _draw_frontier(axes: Axes, table: pd.DataFrame, curves: pd.DataFrame) -> None:
    """Draw first violations by crystal error: simulated points, closed-form lines."""
    lines = []
    for number, (epochs, part) in enumerate(curves.groupby("interval_epochs")):
        color = f"C{number}"
        axes.loglog(part["ppm"], part["closed_form_us"], color=color)
        axes.fill_between(
            part["ppm"],
            part["earliest_us"],
            part["latest_us"],
            color=color,
            alpha=0.18,
            linewidth=0,
        )
        ran = table[table["interval_epochs"] == epochs]
        for case, marker, fill in (("no jitter", "o", color), ("jitter", "s", "none")):
            points = ran[ran["case"] == case]
            axes.plot(
                points["ppm"],
                points["first_violation_us"],
                marker,
                color=color,
                markerfacecolor=fill,
                markersize=6,
            )
        interval_us = float(part["interval_us"].iloc[0])
        axes.axhline(interval_us, color=color, linestyle=":", linewidth=1.2)
        label = f"guard for {epochs} epochs"
        lines.append(Line2D([], [], color=color, label=label))
    axes.legend(
        handles=lines + _legend_keys(), frameon=False, fontsize="small", ncols=2
    )
    axes.set(
        xlabel="error of the crystals, either way (ppm)",
        ylabel="first vector that breaks the schedule (us)",
        # Leave the top to the legend.
        ylim=(None, 5 * float(curves["closed_form_us"].max())),
    )
    _label_axis(axes, "x", sorted(table["ppm"].unique()))
    _label_axis(axes, "y", [power * 10.0**k for k in range(5) for power in _DECADE])
    axes.set_title("Chips that never deskew: simulated on the closed form", loc="left")
    axes.grid(alpha=0.3)


def _legend_keys() -> list[Line2D]:
    """Return legend entries of the line styles and markers that all colours share."""
    return [
        Line2D([], [], color="black", linestyle=":", label="its deskew interval"),
        Line2D([], [], color="black", label="closed form without jitter"),
        Line2D([], [], color="black", marker="o", linestyle="", label="simulated"),
        Line2D([], [], color="grey", linewidth=8, alpha=0.3, label="98 % with jitter"),
        Line2D(
            [],
            [],
            color="black",
            marker="s",
            markerfacecolor="none",
            linestyle="",
            label="simulated with jitter",
        ),
    ]


def _draw_limits(axes: Axes, limits: pd.DataFrame) -> None:
    """Draw the error at which each seed first breaks, by deskew interval."""
    groups = list(limits.groupby("interval_epochs"))
    planned_ppm = float(limits["planned_ppm"].iloc[0])
    for number, (_, part) in enumerate(groups):
        ordered = part.sort_values("first_violating_ppm")
        place = number + np.linspace(-0.3, 0.3, len(part))
        misread = ordered["misread"].to_numpy(dtype=bool)
        for rows, marker in ((~misread, "o"), (misread, "x")):
            axes.plot(
                place[rows],
                ordered["first_violating_ppm"].to_numpy()[rows],
                marker,
                color=f"C{number}",
                markersize=4.5,
            )
        bound, worst = (
            float(part["bound_ppm"].iloc[0]),
            float(ordered["first_violating_ppm"].iloc[0]),
        )
        axes.plot([number - 0.4, number + 0.4], [bound, bound], color=f"C{number}")
        axes.annotate(
            f"promised {bound:.0f} ppm\nfirst broken {worst:.0f}",
            (number, bound),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            va="bottom",
            size=8,
        )
    axes.axhline(planned_ppm, color="black", linestyle="--", linewidth=1)
    axes.set_yscale("log")
    axes.set_xticks(range(len(groups)), [f"{epochs} epochs" for epochs, _ in groups])
    axes.set(
        xlabel=f"deskew interval; guard band for {planned_ppm:g} ppm (dashed)",
        ylabel="error at which a run first breaks (ppm)",
        xlim=(-0.6, len(groups) - 0.4),
        ylim=(planned_ppm * 0.5, None),
    )
    _label_axis(axes, "y", [25, 50, 100, 200, 400])
    axes.legend(
        handles=[
            Line2D([], [], color="grey", marker=marker, linestyle="", label=label)
            for marker, label in (
                ("o", "drift beyond the guard"),
                ("x", "drift misread by a deskew"),
            )
        ],
        frameon=False,
        fontsize="small",
        loc="lower right",
    )
    axes.set_title("Chips that deskew: a mark for each seed", loc="left")
    axes.grid(alpha=0.3, axis="y")


def _label_axis(axes: Axes, which: str, ticks: list[float]) -> None:
    """Label a logarithmic axis at those ticks that are within its limits."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    within = [tick for tick in ticks if low <= tick <= high]
    axis.set_ticks(within, [f"{tick:,g}" for tick in within])
    axis.set_ticks([], minor=True)
