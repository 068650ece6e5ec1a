"""Figure of a run: latency of a token by cause, stages, and slack of the links."""

import io

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.run.scenario import Run
from experiments.tables.plan_tables import stages_table
from experiments.tables.run_tables import links_table
from specs.units import NS_PER_S, PS_PER_US, US_PER_S

STYLE = "petroff10"
_LEVELS = ("local", "rack", "global")


def run_figure(run: Run) -> Figure:
    """Return the plot of a run: breakdown, stages, slack of each link."""
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(11, 6.4), layout="constrained")
        axes = figure.subplot_mosaic(
            [["spent", "spent"], ["stages", "slack"]], height_ratios=[1, 2.1]
        )
        _draw_breakdown(axes["spent"], run)
        _draw_stages(axes["stages"], run)
        _draw_slack(axes["slack"], run)
        context = run.prepared.context_tokens
        attends = f", context {context:,}" if context else ""
        figure.suptitle(
            f"{run.prepared.name} on {run.prepared.plan.strategy.chips} chips, "
            f"{run.prepared.plan.strategy}{attends}",
            fontsize="large",
        )
    return figure


def picture_bytes(figure: Figure) -> bytes:
    """Return a plot as PNG bytes; the same figure gives the same bytes."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=150, metadata={"Software": None})
    return content.getvalue()


def _draw_breakdown(axes: Axes, run: Run) -> None:
    """Draw the latency of a token as one bar with a part for each cause."""
    hz = run.prepared.machine.chip.clock_hz
    left = 0.0
    spent = run.breakdown
    for cause, cycles in spent._asdict().items():
        if not cycles:
            continue
        width = cycles / hz * US_PER_S
        share = cycles / spent.total
        axes.barh(0, width, left=left, label=f"{cause} {share:.1%}", edgecolor="white")
        left += width
    bound = run.schedule.lower_bound_cycles / hz * US_PER_S
    axes.axvline(
        bound, color="black", linestyle="--", linewidth=1.2, label="lower bound"
    )
    makes_tokens = run.prepared.makes_tokens
    word, plural = ("token", "tokens") if makes_tokens else ("pass", "passes")
    axes.set(xlim=(0, left), yticks=[], xlabel=f"time in one {word} (us)")
    waiting_us = run.turn_ps / PS_PER_US
    waited = f" and {waiting_us:,.0f} us of waiting" if waiting_us > 0 else ""
    rate = US_PER_S / (left + waiting_us)
    axes.set_title(
        f"{left:,.0f} us a {word}{waited} = {rate:,.0f} {plural}/s for one user",
        loc="left",
    )
    axes.legend(ncols=6, loc="upper center", bbox_to_anchor=(0.5, -0.42), frameon=False)


def _draw_stages(axes: Axes, run: Run) -> None:
    """Draw the time of a token in each stage."""
    table = stages_table(run)
    hz = run.prepared.machine.chip.clock_hz
    time_us = table["stage_cycles"] / hz * US_PER_S
    axes.bar(table["stage"], time_us, width=1.0, edgecolor="white", linewidth=0.3)
    axes.axhline(
        time_us.mean(), color="black", linestyle="--", linewidth=1, label="mean"
    )
    axes.set(xlabel="pipeline stage", ylabel="time of the token in it (us)")
    axes.set_title("Stages", loc="left")
    axes.legend(frameon=False)


def _draw_slack(axes: Axes, run: Run) -> None:
    """Draw the distribution of the least slack over links, level by level."""
    table = links_table(run)
    table = table[table["vectors"] > 0]
    for level in _LEVELS:
        slack = np.sort(table.loc[table["level"] == level, "min_slack_cycles"])
        if len(slack):
            share = np.arange(1, len(slack) + 1) / len(slack)
            axes.step(slack, share, where="post", label=f"{level} ({len(slack)} links)")
    hz = run.prepared.machine.chip.clock_hz
    guard_cycles = run.schedule.program.guard_cycles
    guard_ns = guard_cycles / hz * NS_PER_S
    axes.axvline(0, color="black", linewidth=1)
    axes.set(
        xlabel="least slack of a link (cycles)\n"
        f"guard band {guard_cycles} cycles = {guard_ns:.0f} ns",
        ylabel="share of links",
        ylim=(0, 1.02),
    )
    axes.set_title("Slack: to the left of 0 a vector is late", loc="left")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, loc="upper left")
