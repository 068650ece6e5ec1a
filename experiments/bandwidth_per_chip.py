"""How much uniform traffic can each chip send, from a node to 145 racks?

Every chip sends as much to every other. Up to 576 chips the traffic is scheduled and
every vector is simulated. For more chips the busiest link gives a bound, computed from
the traffic of one rack, since all racks are alike.
"""

import matplotlib.style
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.plots.run_figure import STYLE
from experiments.script.experiment_script import run_script
from experiments.traffic.uniform_traffic import (
    BOUNDED,
    ROUTINGS,
    SIMULATED,
    bandwidth_bound,
    simulated_bandwidth,
)
from specs.machine import load_machine
from topologies.builders.all_to_all_nodes import node_system
from topologies.cables import CHIPS_PER_RACK
from topologies.selection import select_topology

# Nodes all to all, then racks all to all.
NODES = (1, 2, 4, 8, 16, 33)
RACKS = (2, 4, 8)
BOUND_RACKS = (15, 37, 73, 145)
QUICK_NODES, QUICK_RACKS, QUICK_BOUND_RACKS = (1, 2, 8), (2,), (145,)
PUBLISHED = {"up to 264": (16, 264, 50.0), "beyond": (264, 10_440, 14.0)}


def experiment(seed: int, quick: bool) -> tuple[pd.DataFrame, Figure]:
    """Run the experiment: bandwidth per chip at each system size, and its figure."""
    machine = load_machine()
    machines = [node_system(n) for n in (QUICK_NODES if quick else NODES)]
    machines += [
        select_topology(CHIPS_PER_RACK * racks, "dragonfly")
        for racks in (QUICK_RACKS if quick else RACKS)
    ]
    rows = [
        simulated_bandwidth(topology, machine, routing, seed)
        for routing in ROUTINGS
        for topology in machines
    ]
    rows += [
        bandwidth_bound(select_topology(CHIPS_PER_RACK * racks, "dragonfly"), machine)
        for racks in (QUICK_BOUND_RACKS if quick else BOUND_RACKS)
    ]
    table = pd.DataFrame(rows).assign(feasible=True)
    return table, _figure(table)


def _figure(table: pd.DataFrame) -> Figure:
    """Return the experiment's figure of its table."""
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(9, 5.2), layout="constrained")
        axes = figure.subplots()
        for first, last, level in PUBLISHED.values():
            axes.fill_between(
                [first, last], 0.9 * level, 1.1 * level, color="black", alpha=0.12, lw=0
            )
            axes.plot([first, last], [level, level], "k--", lw=1.2)
        axes.plot([], [], "k--", lw=1.2, label="published, +/-10 %")
        gateways = table[table["routing"] == "over gateways"]
        run = gateways[gateways["evaluated"] == SIMULATED]
        hops = table[table["routing"] == "fewest hops"]
        leaving = run[run["leaving_node_gb_per_s"] > 0]
        sent, left = "injected_gb_per_s", "leaving_node_gb_per_s"
        _lines(axes, run, sent, "C0-o", "over gateways, every vector simulated")
        bounds = gateways[gateways["evaluated"] == BOUNDED]
        axes.plot(
            bounds["chips"],
            bounds[sent],
            "C0:o",
            markerfacecolor="white",
            label="over gateways, bound of the busiest link (one rack sampled)",
        )
        _lines(axes, leaving, left, "C1-s", "of which to other nodes")
        _lines(axes, hops, sent, "C2-^", "fewest hops, by hash, every vector simulated")
        axes.set_xscale("log")
        ticks = (8, 16, 64, 264, 576, 2_664, 10_440)
        axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axes.minorticks_off()
        axes.set(xlabel="chips", ylabel="payload of a chip (GB/s)", ylim=(0, None))
        axes.set_title("Uniform all-to-all traffic, minimal routing", loc="left")
        axes.legend(frameon=False)
    return figure


def _lines(axes: Axes, part: pd.DataFrame, column: str, look: str, label: str) -> None:
    """Draw the experiment's lines of a column: systems of nodes, systems of racks."""
    racks = part["topology"] == "dragonfly"
    axes.plot(part["chips"][~racks], part[column][~racks], look, label=label)
    axes.plot(part["chips"][racks], part[column][racks], look)


if __name__ == "__main__":
    run_script("bandwidth_per_chip", __doc__ or "", experiment)
