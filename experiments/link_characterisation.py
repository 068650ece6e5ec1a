"""Do simulated round trips over the links of a node look like the measured ones?

The parent sends its counter, and the peer returns it at its next cycle. Half of the
round trip, rounded down, is the latency that isca22 table 2 lists for seven links. Mean
and deviation of each link are calibrated; least and most of all links are inputs.
"""

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.plots.run_figure import STYLE
from experiments.script.experiment_script import run_script
from experiments.validation.link_round_trips import (
    EXCHANGES,
    QUICK_EXCHANGES,
    TABLE_2,
    half_round_trips,
)

SHOWN = {
    "link": "link",
    "published_min_cycles": "min",
    "min_cycles": "ours",
    "published_mean_cycles": "mean",
    "mean_cycles": "ours",
    "published_max_cycles": "max",
    "max_cycles": "ours",
    "published_std_cycles": "std",
    "std_cycles": "ours",
}


def experiment(seed: int, quick: bool) -> tuple[pd.DataFrame, Figure]:
    """Run the experiment: table 2, simulated too, and the distributions' figure."""
    exchanges = QUICK_EXCHANGES if quick else EXCHANGES
    halves = half_round_trips(seed, exchanges)
    rows = [
        {
            "link": row.link,
            "exchanges": exchanges,
            "published_min_cycles": row.least,
            "min_cycles": int(half.min()),
            "published_mean_cycles": row.mean,
            "mean_cycles": float(half.mean()),
            "published_max_cycles": row.most,
            "max_cycles": int(half.max()),
            "published_std_cycles": row.deviation,
            "std_cycles": float(half.std()),
        }
        for row, half in zip(TABLE_2, halves.T, strict=True)
    ]
    return pd.DataFrame(rows), _figure(halves)


def _figure(halves: NDArray[np.int64]) -> Figure:
    """Return the experiment's figure of its table."""
    least, most = int(halves.min()), int(halves.max())
    edges = np.arange(least, most + 2) - 0.5
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(11, 5.2), layout="constrained")
        axes = figure.subplots(2, 4, sharex=True, sharey=True)
        for place, row in zip(axes.flat, TABLE_2, strict=False):
            half = halves[:, TABLE_2.index(row)]
            share = np.full(len(half), 1 / len(half))
            place.hist(half, bins=edges, weights=share, label="simulated")
            place.axvline(
                row.mean, color="black", linewidth=1.2, label="published mean"
            )
            for at in (row.mean - row.deviation, row.mean + row.deviation):
                place.axvline(at, color="black", linestyle="--", linewidth=1)
            place.plot(
                [row.least, row.most],
                [0, 0],
                "k^",
                clip_on=False,
                zorder=3,
                label="published min, max",
            )
            place.plot([], [], "k--", linewidth=1, label="published mean -/+ deviation")
            place.set_title(
                f"link {row.link}: {half.mean():.2f} / {half.std():.2f}", loc="left"
            )
        legend = axes[1, 3]
        legend.axis("off")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        legend.legend(handles, labels, frameon=False, loc="center")
        for place in axes[:, 0]:
            place.set_ylabel("share of exchanges")
        for place in (*axes[1, :3], axes[0, 3]):
            place.set_xlabel("half a round trip (cycles)")
            place.tick_params(labelbottom=True)
        figure.suptitle(
            f"{len(halves):,} exchanges over each link of a chip in its node; "
            "titles: simulated mean / deviation",
            fontsize="large",
        )
    return figure


if __name__ == "__main__":
    run_script("link_characterisation", __doc__ or "", experiment, SHOWN, digits=2)
