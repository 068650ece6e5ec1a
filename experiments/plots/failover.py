"""Figure of `failover`: token latency over time by cause, and cost by host rate."""

import textwrap

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.plots.run_figure import STYLE
from specs.units import US_PER_MS

_CAUSES = {
    "schedule": "schedule",
    "replay": "damaged attempts",
    "detect": "detection",
    "load": "load of the spare node",
    "bring_up": "bring-up of the counters",
    "kv": "KV cache recomputed",
    "start": "aligned start",
}
# Causes of tokens have the colours that they have there.
_PARTS = {
    "damaged_us": ("damaged attempts", "C1"),
    "drain_us": ("drain", "C7"),
    "detect_us": ("detection", "C2"),
    "program_us": ("load: programs", "C8"),
    "weights_us": ("load: weights", "C3"),
    "bring_up_us": ("bring-up", "C4"),
    "kv_us": ("KV cache recomputed", "C5"),
    "start_us": ("aligned start", "C6"),
}


def failover_figure(table: pd.DataFrame, by_token: pd.DataFrame) -> Figure:
    """Return the plot: tokens of each scenario with one sequence, and the cost.

    Parameters
    ----------
    table
        A row for each scenario and host rate.
    by_token
        A row for each delivered token, at the default host rate of the machine.
    """
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(12, 7), layout="constrained")
        shown = ["link dies", "chip stops", "no spare"]
        axes = figure.subplot_mosaic(
            [[name, "cost"] for name in shown], width_ratios=[1.5, 1]
        )
        drawn = by_token[by_token["scenario"].isin(shown)]
        end_ms = float((drawn["begin_us"] + drawn["latency_us"]).max()) / US_PER_MS
        longest_ms = float(drawn["latency_us"].max()) / US_PER_MS
        for name in shown:
            _draw_tokens(axes[name], by_token[by_token["scenario"] == name], name)
            axes[name].set_xlim(0, end_ms)
            axes[name].set_ylim(0, 1.05 * longest_ms)
        # Where nothing was delivered there is room.
        handles, labels = axes[shown[0]].get_legend_handles_labels()
        axes[shown[-1]].legend(
            handles, labels, frameon=False, fontsize="small", loc="lower right", ncols=2
        )
        axes[shown[-1]].set_xlabel("time in the run (ms)")
        _annotate_missing(
            axes["no spare"],
            table[table["scenario"] == "no spare"],
            by_token[by_token["scenario"] == "no spare"],
        )
        _draw_cost(axes["cost"], table[table["scenario"] == "link dies"])
        figure.suptitle(
            "Llama-2-70B on 576 chips: what a token waits for when something breaks",
            fontsize="large",
        )
    return figure


def _draw_tokens(axes: Axes, tokens: pd.DataFrame, name: str) -> None:
    """Draw each token as a bar whose width and height are its latency."""
    width = tokens["latency_us"].to_numpy() / US_PER_MS
    begin = tokens["begin_us"].to_numpy() / US_PER_MS
    bottom = np.zeros(len(tokens))
    for number, (cause, label) in enumerate(_CAUSES.items()):
        height = tokens[f"{cause}_us"].to_numpy() / US_PER_MS
        axes.bar(
            begin,
            height,
            width=0.97 * width,
            bottom=bottom,
            align="edge",
            color=f"C{number}",
            label=label,
        )
        bottom += height
    slow = int(tokens["latency_us"].to_numpy().argmax())
    attempts = int(tokens["attempts"].to_numpy()[slow])
    if attempts > 1:
        axes.annotate(
            f"token {tokens['token'].to_numpy()[slow]}: {bottom[slow]:.1f} ms,\n"
            f"{attempts} attempts",
            (float(begin[slow] + width[slow]), float(bottom[slow])),
            xytext=(3, -3),
            textcoords="offset points",
            va="top",
            size=9,
        )
    axes.set_ylabel("latency (ms)")
    axes.set_title(name[0].upper() + name[1:], loc="left", size="medium")


def _annotate_missing(axes: Axes, table: pd.DataFrame, tokens: pd.DataFrame) -> None:
    """Shade the time after the last token, and write which are missing and why."""
    last_ms = float((tokens["begin_us"] + tokens["latency_us"]).max()) / US_PER_MS
    axes.axvspan(last_ms, axes.get_xlim()[1], color="0.93", zorder=0)
    row = table.iloc[0]
    text = f"{row['tokens_missing']} of {row['tokens_wanted']} missing: {row['reason']}"
    axes.text(
        last_ms + 0.6,
        0.92 * axes.get_ylim()[1],
        textwrap.fill(text, width=56),
        va="top",
        size=9,
    )


def _draw_cost(axes: Axes, table: pd.DataFrame) -> None:
    """Draw the parts of a failover by host rate, stacked."""
    table = table.sort_values("host_gb_per_s")
    pieces = ["program", "weight"]
    sizes = table[[f"fullest_{piece}_bytes" for piece in pieces]].to_numpy(dtype=float)
    share = sizes / sizes.sum(axis=1, keepdims=True)
    parts = table.assign(
        program_us=share[:, 0] * table["load_us"],
        weights_us=share[:, 1] * table["load_us"],
    )
    bottom = np.zeros(len(parts))
    for part, (label, color) in _PARTS.items():
        height = parts[part].to_numpy() / US_PER_MS
        axes.bar(
            np.arange(len(parts)),
            height,
            bottom=bottom,
            color=color,
            label=f"{label} ({height[-1]:.3f} ms)"
            if part in ("drain_us", "start_us")
            else label,
        )
        bottom += height
    for place, total in enumerate(bottom.tolist()):
        axes.annotate(
            f"{total:,.1f}",
            (place, total),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            size=9,
        )
    axes.set_xticks(
        np.arange(len(parts)), [f"{rate:g}" for rate in parts["host_gb_per_s"]]
    )
    axes.set(
        xlabel="rate at which a host loads its chip (GB/s)",
        ylabel="first damaged attempt to new start (ms)",
    )
    axes.set_title("A dead link: what the failover takes", loc="left", size="medium")
    axes.legend(frameon=False, fontsize="small", loc="upper right")
