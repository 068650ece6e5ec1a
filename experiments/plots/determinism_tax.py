"""Figure of `determinism_tax`: a waterfall of the deployed split, and all splits."""

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.plots.run_figure import STYLE
from experiments.tables.columns import TableRow

_DEPLOYED_WIDTH = 8
CODES = ("none", "secded", "rs544")
PARTS = {
    "guard_jitter": "guard: jitter",
    "guard_counter": "guard: counter error",
    "guard_drift": "guard: drift",
    "deskew": "deskew stalls",
    "fec": "FEC decoding",
    "other": "other routes",
}


def determinism_tax_figure(table: pd.DataFrame, chips: int) -> Figure:
    """Return the plot: waterfall of the deployed split, and the tax of all splits.

    Parameters
    ----------
    table
        A row for each split and code: the columns ``<part>_us``, and those of a run.
    chips
        Chips of every split.
    """
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(11.5, 5), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
        _draw_waterfall(left, table[table["tensor"] == _DEPLOYED_WIDTH])
        _draw_splits(right, table, chips)
        figure.suptitle(
            f"Llama-2-70B on {chips} chips: what determinism costs a token",
            fontsize="large",
        )
    return figure


def _draw_waterfall(axes: Axes, table: pd.DataFrame) -> None:
    """Draw the time beyond the ideal token as a waterfall, by part and by code."""
    of_code: dict[str, TableRow] = {str(row["code"]): row for row in _rows(table)}
    steps: list[tuple[str, float, str]] = []
    plain = of_code["none"]
    for number, (part, label) in enumerate(PARTS.items()):
        if plain[f"{part}_us"]:
            name = label.replace(": ", ":\n").replace(" ", "\n")
            steps.append((name, plain[f"{part}_us"], f"C{number}"))
    steps.append(("total\nwithout\ncode", 0.0, "black"))
    reached = plain["tax_us"]
    for code in CODES[1:]:
        added = of_code[code]["tax_us"] - reached
        fec_color = f"C{list(PARTS).index('fec')}"
        steps.append((f"decode\n{code}", added, fec_color))
        steps.append((f"total\n{code}", 0.0, "black"))
        reached += added
    level = 0.0
    for place, (_, added, color) in enumerate(steps):
        total = color == "black"
        bottom, height = (0.0, level) if total else (level, added)
        axes.bar(place, height, bottom=bottom, color="0.35" if total else color)
        level += added
        axes.annotate(
            f"{level:,.1f}" if total else f"{added:+,.1f}",
            (place, max(level, bottom)),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            size=8,
        )
        if place + 1 < len(steps):
            axes.plot([place, place + 1], [level, level], color="grey", linewidth=0.7)
    axes.set_xticks(range(len(steps)), [name for name, _, _ in steps], size=8)
    axes.set_ylabel("time in a token beyond the ideal (us)")
    axes.set_ylim(0, 1.12 * level)
    axes.set_title(
        f"{plain['strategy']}: {plain['ideal_us']:,.1f} us with an ideal global clock",
        loc="left",
        size="medium",
    )
    axes.annotate(
        "once a run, not in the bars:\naligned start, "
        f"{plain['start_epochs']} epochs = "
        f"{plain['start_us']:.2f} us\n\nsecded decodes within the link's\n"
        "measured latency",
        (0.02, 0.97),
        xycoords="axes fraction",
        va="top",
        size=9,
    )


def _rows(table: pd.DataFrame) -> list[TableRow]:
    """Return the rows of a table by column name."""
    return [
        {str(name): value for name, value in row.items()}
        for row in table.to_dict("records")
    ]


def _draw_splits(axes: Axes, table: pd.DataFrame, chips: int) -> None:
    """Draw the tax of each split as a share of its ideal token, for two codes."""
    widths = sorted(table["tensor"].unique())
    for offset, code in ((-0.2, "secded"), (0.2, "rs544")):
        part = table[table["code"] == code].set_index("tensor").loc[widths]
        place = np.arange(len(widths)) + offset
        above, below = np.zeros(len(widths)), np.zeros(len(widths))
        for number, (name, label) in enumerate(PARTS.items()):
            share = (100 * part[f"{name}_us"] / part["ideal_us"]).to_numpy()
            axes.bar(
                place,
                share,
                width=0.37,
                bottom=np.where(share >= 0, above, below),
                color=f"C{number}",
                label=label if code == "secded" else None,
            )
            above += np.maximum(share, 0)
            below += np.minimum(share, 0)
        for x, top, tax in zip(place, above, part["tax_percent"], strict=True):
            axes.annotate(
                f"{code}\n{tax:.1f} %",
                (x, top),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
                size=7,
            )
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xticks(
        range(len(widths)), [f"{width} x {chips // width}" for width in widths]
    )
    axes.set(
        xlabel="tensor width x pipeline stages",
        ylabel="time beyond the ideal token (%)",
    )
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, -0.02 * high), 1.1 * high)
    axes.legend(frameon=False, fontsize="small", loc="upper left")
    axes.set_title("Wider splits have more hops in a row", loc="left", size="medium")
