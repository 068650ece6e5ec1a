"""How many hops is it between chips, and what can the published "at most 5" mean?

Each arrangement of a dragonfly's global links, at 2 to 145 racks, by two rules: every
hop from chip to chip counts, or hops inside a node on the path do not.
"""

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.plots.run_figure import STYLE
from experiments.script.experiment_script import run_script
from topologies.builders.dragonfly import MOST_RACKS, dragonfly_topology
from topologies.builders.port_order import ORDERS
from topologies.metrics.gateway_distance import gateway_histogram
from topologies.metrics.summary import hop_histogram
from topologies.topology import Topology

RACKS = (2, 3, 5, 9, 17, 33, 73, MOST_RACKS)
QUICK_RACKS = (2, 9)
PUBLISHED_HOPS = 5
RULES = {"chip": hop_histogram, "gateway": gateway_histogram}
COLUMNS = {
    "arrangement": "arrangement",
    "rule": "rule",
    "racks": "racks",
    "chips": "chips",
    "diameter_hops": "at most",
    "mean_hops": "mean",
    "beyond_5_percent": "beyond 5, %",
}


def experiment(seed: int, quick: bool) -> tuple[pd.DataFrame, Figure]:
    """Run the experiment: hops of each arrangement, size and rule, and their figure."""
    rows = []
    for arrangement in ORDERS:
        name = f"random-{seed}" if arrangement == "random" else arrangement
        for racks in QUICK_RACKS if quick else RACKS:
            topology = dragonfly_topology(racks, name)
            rows += [_row(name, racks, rule, topology) for rule in RULES]
    table = pd.DataFrame(rows).fillna(0)
    return table, _figure(table)


def _row(
    arrangement: str, racks: int, rule: str, topology: Topology
) -> dict[str, object]:
    """Return the experiment's row of one case."""
    sources = topology.representatives or range(topology.chips)
    histogram: NDArray[np.int64] = RULES[rule](topology, sources)
    share = 100 * histogram / histogram.sum()
    hops = np.arange(len(histogram))
    return {
        "arrangement": arrangement,
        "rule": rule,
        "racks": racks,
        "chips": topology.chips,
        "diameter_hops": len(histogram) - 1,
        "mean_hops": float(hops @ share) / 100,
        "beyond_5_percent": float(share[PUBLISHED_HOPS + 1 :].sum()),
        **{f"pairs_at_{hop}_percent": share[hop] for hop in hops[1:].tolist()},
    }


def _figure(table: pd.DataFrame) -> Figure:
    """Return the experiment's figure of its table."""
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(11, 5), layout="constrained")
        left, right = figure.subplots(1, 2)
        _means(left, table)
        _shares(right, table[table["racks"] == table["racks"].max()])
    return figure


def _means(axes: Axes, table: pd.DataFrame) -> None:
    """Draw the experiment's mean hops by chips, solid for the chip rule."""
    names = list(dict.fromkeys(table["arrangement"]))
    for index, name in enumerate(names):
        of_name = table[table["arrangement"] == name]
        for rule, style in (("chip", "-o"), ("gateway", "--o")):
            part = of_name[of_name["rule"] == rule]
            axes.plot(
                part["chips"],
                part["mean_hops"],
                style,
                color=f"C{index}",
                markersize=4,
                label=name if rule == "chip" else None,
            )
    axes.plot([], [], "--", color="black", label="gateway rule")
    axes.set_xscale("log")
    ticks = sorted(set(table["chips"]))[::-2]
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.set(xlabel="chips", ylabel="mean hops")
    axes.set_title("Scattered global links save up to a hop", loc="left")
    axes.legend(frameon=False)


def _shares(axes: Axes, table: pd.DataFrame) -> None:
    """Draw the experiment's shares of pairs by hops, for each arrangement and rule."""
    at = [name for name in table.columns if name.startswith("pairs_at_")]
    left = np.zeros(len(table))
    labels = [
        f"{row.arrangement}, {row.rule}, {row.diameter_hops} at most"
        for row in table.itertuples()
    ]
    shades = matplotlib.colormaps["viridis_r"](np.linspace(0.05, 0.95, len(at)))
    for name, colour in zip(at, shades, strict=True):
        share = table[name].to_numpy()
        hops = name.removeprefix("pairs_at_").removesuffix("_percent")
        axes.barh(labels, share, left=left, color=colour, label=f"{hops}")
        left += share
    axes.invert_yaxis()
    axes.set(xlim=(0, 100), xlabel="pairs of chips (%)")
    chips = int(table["chips"].max())
    axes.set_title(f"Hops between {chips:,} chips", loc="left")
    axes.legend(
        ncols=len(at), loc="upper center", bbox_to_anchor=(0.4, -0.12), frameon=False
    )


if __name__ == "__main__":
    run_script("hop_counts", __doc__ or "", experiment, COLUMNS, digits=3)
