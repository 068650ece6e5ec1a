"""What does a static schedule buy over a network with queues, credits and arbitration?

Both carry the same messages over the same wires by the same minimal routes. First every
chip sends to every other at once, as a tensor group does. Then messages of one vector
go to random chips at random times, up to the bound of the busiest link. A schedule may
know the pattern and space it (timetable), know only when messages will be ready
(foreseen), or nothing, so that a message waits for the next slot of its pair
(unforeseen). Each virtual channel of the reactive network has as many places as the
receive FIFO, or as many as the round trip of a credit needs.

Printed: load and throughput in percent of the bound; the 99th percentile of the delay,
which is the latency beyond an empty reactive network; the largest difference of one
message between runs.
"""

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.plots.run_figure import STYLE
from experiments.script.experiment_script import run_script
from experiments.tables.columns import TableRow
from experiments.traffic.scheduled_and_reactive import (
    LatencySamples,
    TrafficCase,
    exchange_samples,
    uniform_samples,
)
from experiments.traffic.traffic_schedule import network
from specs.machine import load_machine
from specs.units import NS_PER_US
from topologies.selection import select_topology

# A share of 8192 FP16 elements over eight chips is 7 vectors. Both times are shorter
# than the interval between two deskews, so that no deskew falls into them.
LOADS = (0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
CASES = (
    TrafficCase("node", 8, 7, 10, LOADS[::2], 2, 40),
    TrafficCase("rack", 72, 7, 10, LOADS, 2, 40),
    TrafficCase("nodes33", 264, 1, 4, (0.3, 0.6, 0.9), 1, 15),
)
QUICK_CASES = (
    TrafficCase("node", 8, 7, 2, (0.5, 0.9), 1, 10),
    TrafficCase("rack", 72, 1, 2, (0.5, 0.9), 1, 10),
)
# The case in the figure.
DRAWN = "rack"
SHOWN = {
    "chips": "chips",
    "traffic": "traffic",
    "load_percent": "in %",
    "machine": "machine",
    "p50_ns": "p50 ns",
    "p99_ns": "p99 ns",
    "max_ns": "max ns",
    "p99_delay_ns": "delay",
    "carried_percent": "out %",
    "between_runs_ns": "+/-",
}


def experiment(seed: int, quick: bool) -> tuple[pd.DataFrame, Figure]:
    """Run the experiment: latency and throughput by network, and their figure."""
    machine = load_machine()
    rows: list[TableRow] = []
    drawn: list[LatencySamples] = []
    for case in QUICK_CASES if quick else CASES:
        net = network(select_topology(case.chips, case.topology), machine)
        exchanged = exchange_samples(net, case, seed)
        measured = [*exchanged, *uniform_samples(net, case, seed)]
        facts = {"topology": case.topology, "chips": case.chips}
        rows += [{**facts, **each.row} for each in measured]
        if case.topology == DRAWN:
            drawn = exchanged
    table = pd.DataFrame(rows)
    return table, _figure(table, drawn)


def _figure(table: pd.DataFrame, exchanged: list[LatencySamples]) -> Figure:
    """Return the experiment's figure of its table."""
    part = table[table["topology"] == DRAWN]
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(12, 5.4), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[1, 1.25])
        # A machine has one colour in both panels.
        cycle = matplotlib.rcParams["axes.prop_cycle"].by_key()["color"]
        colors = dict(zip(dict.fromkeys(part["machine"]), cycle, strict=False))
        for each in exchanged:
            latency_ns = np.sort(each.latency_ns)
            share = np.arange(1, len(latency_ns) + 1) / len(latency_ns)
            color = colors[each.row["machine"]]
            left.step(latency_ns / NS_PER_US, share, where="post", color=color)
        size_bytes = exchanged[0].row["bytes"]
        chips = int(part["chips"].iloc[0])
        left.set(
            xlabel="latency of a message (us)",
            ylabel="share of messages",
            ylim=(0, 1.02),
            xlim=(0, None),
        )
        left.set_title(
            f"{size_bytes:,} B from each of {chips} chips to each, at once", loc="left"
        )
        _draw_loads(right, part[part["traffic"] == "uniform"], colors)
        lines = [Line2D([], [], color=colors[name], label=name) for name in colors]
        lines.append(Line2D([], [], color="black", label="median"))
        lines.append(
            Line2D([], [], color="black", linestyle="--", label="99th percentile")
        )
        figure.legend(
            handles=lines, frameon=False, loc="outside lower center", ncols=len(lines)
        )
    return figure


def _draw_loads(axes: Axes, table: pd.DataFrame, colors: dict[str, str]) -> None:
    """Draw the experiment's delays: median solid, 99th percentile dashed."""
    for name, rows in table.groupby("machine", sort=False):
        load, color = rows["load_percent"], colors[str(name)]
        axes.plot(load, rows["p50_delay_ns"], "-", color=color)
        axes.plot(load, rows["p99_delay_ns"], "--", color=color)
    axes.set(
        xlabel="load (% of the bound that the busiest link sets)",
        ylabel="latency beyond an empty reactive network (ns)",
    )
    # Linear around 0: a median is negative if jitter is mostly below its mean.
    axes.set_yscale("symlog", linthresh=100)
    axes.set_title("One vector at random times to any chip", loc="left")
    axes.grid(alpha=0.3)


if __name__ == "__main__":
    run_script("scheduled_vs_reactive", __doc__ or "", experiment, SHOWN, digits=0)
