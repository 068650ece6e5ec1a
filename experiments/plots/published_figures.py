"""Figure of a validation: ours as a ratio to published figures, with error bars."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from experiments.plots.run_figure import STYLE

_COLOURS = {"input": "tab:gray", "calibrated": "tab:blue", "predicted": "black"}
_AGREES, _DISAGREES = "o", "X"
_DISAGREES_COLOUR, _BAR_COLOUR = "tab:red", "tab:orange"
# Ratios that are labelled. The scale is logarithmic in the distance from 1, and linear
# up to the first of them.
_TICKS = (0.5, 0.9, 0.99, 0.999, 1, 1.001, 1.01, 1.1, 2)
_LINEAR, _LEFT, _RIGHT = 1e-3, -0.75, 1.2
_ROW_INCHES, _WIDTH_INCHES, _MARGIN_INCHES = 0.165, 7.4, 1.15
_FONT, _TITLE_FONT = 8.2, 8.4
# Where the scale begins and ends, as a share of the figure's width.
_BEGIN, _END = 0.305, 0.735


class RatioRow(NamedTuple):
    """Row of the plot of a validation.

    Attributes
    ----------
    group, label
        Title of its group, and its own.
    kind
        Input, calibrated or predicted.
    ok
        Whether the two figures agree.
    ratio
        Ours to the nearer end of the published range.
    bar_low, bar_high
        Range that the source supports, as ratios to the same end.
    shown
        Both figures as text.
    """

    group: str
    label: str
    kind: str
    ok: bool
    ratio: float
    bar_low: float
    bar_high: float
    shown: str


def published_figures_figure(rows: Sequence[RatioRow]) -> Figure:
    """Return the plot of all comparisons with published figures, in groups."""
    places, titles, lines = _places(rows)
    height = lines * _ROW_INCHES + _MARGIN_INCHES
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(_WIDTH_INCHES, height))
        top, bottom = 1 - 0.62 / height, 0.42 / height
        axes = figure.add_axes((_BEGIN, bottom, _END - _BEGIN, top - bottom))
        _draw_scale(axes, lines)
        _draw_rows(axes, rows, places)
        for place, title in titles:
            axes.text(
                -_BEGIN / (_END - _BEGIN) + 0.02,
                place,
                title,
                transform=axes.get_yaxis_transform(),
                fontsize=_TITLE_FONT,
                fontweight="bold",
                va="center",
            )
        _draw_legend(figure, 1 - 0.04 / height)
    return figure


def _places(
    rows: Sequence[RatioRow],
) -> tuple[list[int], list[tuple[int, str]], int]:
    """Return the line of each row, those of group titles, and how many there are."""
    places: list[int] = []
    titles: list[tuple[int, str]] = []
    line = 0
    for title, members in groupby(rows, key=lambda row: row.group):
        titles.append((line, title))
        size = len(list(members))
        places += range(line + 1, line + 1 + size)
        line += 1 + size
    return places, titles, line


def _draw_scale(axes: Axes, lines: int) -> None:
    """Draw the scale of ratios at the top and at the bottom."""
    axes.set_xscale("symlog", linthresh=_LINEAR, linscale=0.7)
    axes.set(xlim=(_LEFT, _RIGHT), ylim=(lines - 0.4, -0.6), yticks=[])
    axes.set_xticks([tick - 1 for tick in _TICKS], [f"{tick:g}" for tick in _TICKS])
    axes.set_xticks([], minor=True)
    axes.tick_params(labelsize=_FONT, labeltop=True, top=True, length=2)
    axes.grid(axis="x", linewidth=0.4, color="0.88")
    axes.axvline(0, color="0.5", linewidth=0.8, zorder=1)
    axes.set_axisbelow(True)
    axes.set_xlabel("model / published", fontsize=_FONT)


def _draw_rows(axes: Axes, rows: Sequence[RatioRow], places: list[int]) -> None:
    """Draw the bar, the marker and the texts of each row."""
    label_at, text_at = -0.015, 1.02
    texts = [(text_at, -1.35, "model / published", "left")]
    for place, row in zip(places, rows, strict=True):
        low, high = np.clip([row.bar_low - 1, row.bar_high - 1], _LEFT, _RIGHT)
        axes.plot(
            [low, high],
            [place, place],
            color=_BAR_COLOUR,
            linewidth=4.2,
            solid_capstyle="butt",
            alpha=0.75,
            zorder=2,
        )
        axes.plot(
            [row.ratio - 1],
            [place],
            marker=_AGREES if row.ok else _DISAGREES,
            markersize=3.8 if row.ok else 5.2,
            color=_COLOURS[row.kind] if row.ok else _DISAGREES_COLOUR,
            markeredgewidth=0,
            zorder=3,
        )
        texts += [
            (label_at, place, row.label, "right"),
            (text_at, place, row.shown, "left"),
        ]
    for x, y, text, align in texts:
        axes.text(
            x,
            y,
            text,
            transform=axes.get_yaxis_transform(),
            fontsize=_FONT,
            ha=align,
            va="center",
        )


def _draw_legend(figure: Figure, top: float) -> None:
    """Draw the legend above the scale."""
    markers = [
        *((_AGREES, colour, f"{kind}, agrees") for kind, colour in _COLOURS.items()),
        (_DISAGREES, _DISAGREES_COLOUR, "disagrees"),
    ]
    handles: list[Line2D | Patch] = [
        Line2D([], [], marker=marker, color=colour, linestyle="", label=label)
        for marker, colour, label in markers
    ]
    handles.append(
        Patch(color=_BAR_COLOUR, alpha=0.75, label="range that the source supports")
    )
    figure.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, top),
        ncols=len(handles),
        fontsize=7.6,
        frameon=False,
        handletextpad=0.3,
        columnspacing=1.2,
        markerscale=0.8,
    )
