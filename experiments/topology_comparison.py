"""What does the wiring contribute? The same model on 64 chips, wired in five ways.

A rack on its own, part of the 33-node system, part of a dragonfly, and two wirings of
other machines: an 8 x 8 torus and a hypercube. Llama-2-7B is split so that talk stays
among eight chips, and so that all 64 talk to each other.
"""

import matplotlib.style
import networkx as nx
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.figure import STYLE
from experiments.points import point
from experiments.script import run_script
from specs.scenario import Scenario
from topologies.graphs import from_networkx
from topologies.metrics import describe
from topologies.selection import select_topology
from topologies.topology import Topology

CHIPS = 64
STRATEGIES = ("tensor=8,pipeline=8", "tensor=64,pipeline=1")
QUICK_STRATEGIES = STRATEGIES[:1]


def wirings() -> dict[str, Topology]:
    """Return the machines that are compared, by name."""
    torus = nx.convert_node_labels_to_integers(
        nx.grid_2d_graph(8, 8, periodic=True), ordering="sorted"
    )
    cube = nx.convert_node_labels_to_integers(nx.hypercube_graph(6), ordering="sorted")
    return {
        "rack": select_topology(CHIPS, "rack"),
        "33 nodes": select_topology(CHIPS, "nodes33"),
        "dragonfly": select_topology(2 * 72, "dragonfly"),
        "torus 8 x 8": from_networkx(torus, name="torus"),
        "hypercube": from_networkx(cube, name="hypercube"),
    }


def experiment(seed: int, quick: bool) -> tuple[pd.DataFrame, Figure]:
    """Return the latency on each wiring under each strategy, and its picture."""
    rows = []
    for name, topology in wirings().items():
        described = describe(topology)
        for strategy in QUICK_STRATEGIES if quick else STRATEGIES:
            scenario = Scenario(
                model="llama-2-7b", chips=CHIPS, strategy=strategy, tokens=1, seed=seed
            )
            facts = {
                "topology": name,
                "machine_chips": topology.chips,
                "cables_per_chip": topology.links / topology.chips,
                "mean_hops": described.mean_hops,
            }
            rows.append({**facts, **point(scenario, topology)})
    table = pd.DataFrame(rows)
    return table, _figure(table[table["feasible"]])


def _figure(table: pd.DataFrame) -> Figure:
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(9, 4.6), layout="constrained")
        axes = figure.subplots()
        names = list(dict.fromkeys(table["topology"]))
        strategies = list(dict.fromkeys(table["strategy"]))
        place = np.arange(len(names))
        width = 0.8 / len(strategies)
        for index, strategy in enumerate(strategies):
            part = table[table["strategy"] == strategy].set_index("topology")
            height = part["latency_us"].reindex(names)
            bars = axes.bar(place + index * width, height, width, label=strategy)
            axes.bar_label(bars, fmt="%.0f", fontsize=8)
        axes.set_xticks(place + 0.4 - width / 2, names)
        axes.set(ylabel="latency of a token (us)")
        axes.set_title(
            "Llama-2-7B on 64 chips: wide groups feel the wiring", loc="left"
        )
        axes.legend(frameon=False)
    return figure


if __name__ == "__main__":
    run_script("topology_comparison", __doc__ or "", experiment)
