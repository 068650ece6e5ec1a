"""What does the topology contribute, with the same model on the same chips?

At equal chips each wiring is as it is usually built; at equal cables each has the 5.5
cables a chip of our own, or what comes nearest and its ports allow. Llama-2-7B runs on
64 chips, with communication among eight chips or among all of them, and Llama-2-70B on
576. A machine with more chips is described as a whole. (A minute.)
"""

from itertools import chain
from typing import NamedTuple

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.plots.run_figure import STYLE
from experiments.script.experiment_script import run_script
from experiments.tables.columns import TableRow
from experiments.tables.scenario_rows import scenario_row
from specs.machine import load_machine
from specs.scenario import Scenario
from topologies.cables import CHIPS_PER_RACK
from topologies.metrics.link_load import uniform_traffic
from topologies.metrics.summary import describe
from topologies.selection import select_topology, whole_machine_chips

EQUAL_CHIPS, EQUAL_CABLES = "equal chips", "equal cables"
COLUMNS = {
    "topology": "topology",
    "strategy": "strategy",
    "mean_hops": "hops",
    "uniform_bound_gb_per_s": "GB/s",
    "latency_us": "token us",
}


class Comparison(NamedTuple):
    """Topologies to compare for one model on one number of chips.

    Attributes
    ----------
    chips, model
        Chips, and the model that runs on them.
    strategies
        Strategies, with communication among more and more chips.
    wirings
        Names of topologies by what is kept equal. The first of each is the one of the
        machine, with which the others are compared.
    """

    chips: int
    model: str
    strategies: tuple[str, ...]
    wirings: dict[str, tuple[str, ...]]


SMALL = Comparison(
    chips=64,
    model="llama-2-7b",
    strategies=("tensor=8,pipeline=8", "tensor=64,pipeline=1"),
    wirings={
        EQUAL_CHIPS: (
            *("rack", "nodes33", "dragonfly"),
            *("torus:8x8", "torus:4x4x4", "hypercube:6"),
            *("flattened-butterfly:4x4x4", "fat-tree:4x3"),
        ),
        EQUAL_CABLES: (
            *("rack", "torus:8x8*2", "hypercube:6"),
            *("flattened-butterfly:8x4x2", "fat-tree:4x3*2"),
        ),
    },
)
LARGE = Comparison(
    chips=576,
    model="llama-2-70b",
    strategies=("tensor=8,pipeline=72",),
    wirings={
        EQUAL_CHIPS: (
            *("dragonfly", "dragonfly:palmtree"),
            *("torus:24x24", "torus:9x8x8", "hypercube:10", "fat-tree:5x4"),
        ),
        EQUAL_CABLES: (
            *("dragonfly", "torus:24x24*2", "hypercube:10"),
            *("flattened-butterfly:4x3x3x2x2x2x2", "fat-tree:5x4"),
        ),
    },
)


def experiment(seed: int, quick: bool) -> tuple[pd.DataFrame, Figure]:
    """Run the experiment: latency by wiring and strategy, and its picture."""
    comparisons = [SMALL, LARGE]
    if quick:
        comparisons = [SMALL._replace(strategies=SMALL.strategies[:1])]
    rows = []
    for comparison in comparisons:
        names = dict.fromkeys(chain.from_iterable(comparison.wirings.values()))
        of_name = {name: _rows(comparison, name, seed) for name in names}
        rows += [
            {"topology": name, "equal": equal, **row}
            for equal, listed in comparison.wirings.items()
            for name in listed
            for row in of_name[name]
        ]
    table = pd.DataFrame(rows)
    return table, _figure(table)


def _rows(comparison: Comparison, name: str, seed: int) -> list[TableRow]:
    """Return the experiment's row of each strategy: topology metrics, and latency."""
    chips = comparison.chips
    # A dragonfly has at least two racks.
    least = 2 * CHIPS_PER_RACK if name.startswith("dragonfly") else chips
    topology = select_topology(whole_machine_chips(name) or max(chips, least), name)
    described, traffic = describe(topology), uniform_traffic(topology)
    rate = load_machine().line.payload_gb_per_s
    facts: TableRow = {
        "machine_chips": topology.chips,
        "cables_per_chip": topology.links / topology.active_chips,
        "ports": described.degree["max"],
        "diameter_hops": described.diameter_hops,
        "mean_hops": traffic.mean_hops,
        "bisection_links": described.bisection_links,
        "uniform_bound_gb_per_s": rate * traffic.bound_links,
        "uniform_minimal_gb_per_s": rate * traffic.minimal_links,
    }
    # The replay engine gives the same integers as SimPy in a third of the time.
    scenario = Scenario(
        model=comparison.model, chips=chips, tokens=1, seed=seed, engine="replay"
    )
    return [
        facts
        | scenario_row(scenario.model_copy(update={"strategy": strategy}), topology)
        for strategy in comparison.strategies
    ]


def _figure(table: pd.DataFrame) -> Figure:
    """Return the experiment's figure of its table."""
    sizes = sorted(set(table["chips"]))
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
        bars = axes.barh(at, latency, height, label=str(strategy))
        axes.bar_label(bars, fmt="%.0f", fontsize=8, padding=2)
    axes.margins(x=0.12)
    axes.set(xlabel="latency of a token (us)")
    axes.set_title(
        f"{table['chips'].iloc[0]} chips: above at equal chips, below at equal cables",
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
        f"{cables:.3g} cables a chip, {hops:.1f} hops"
        for cables, hops in zip(
            wirings["cables_per_chip"], wirings["mean_hops"], strict=True
        )
    ]
    axes.bar_label(bars, facts, fontsize=8, padding=3)
    axes.set(xlim=(0, 1.6 * bound.max()), xlabel="traffic that a chip sends (GB/s)")
    axes.set_title("Uniform traffic", loc="left", fontsize="medium")


if __name__ == "__main__":
    run_script("topology_comparison", __doc__ or "", experiment, COLUMNS)
