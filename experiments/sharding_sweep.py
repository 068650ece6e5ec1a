"""Which way of splitting Llama-2-70B over 576 chips gives one user the fastest token?

Every tensor width that divides 576 up to a rack, the pipeline taking the rest. A wide
group computes less on each chip but talks more; a long pipeline hands over more often,
and its slowest stage limits how many users it can serve.
"""

import matplotlib.style
import pandas as pd
from matplotlib.figure import Figure

from experiments.figure import STYLE
from experiments.points import point
from experiments.script import run_script
from specs.scenario import Scenario

CHIPS = 576
WIDTHS = (1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 36, 48, 64, 72)
QUICK_WIDTHS = (4, 8, 16)
CAUSES = ("compute", "link", "guard", "deskew", "wait")


def experiment(seed: int, quick: bool) -> tuple[pd.DataFrame, Figure]:
    """Return the latency and throughput of each strategy, and their picture."""
    rows = []
    for width in QUICK_WIDTHS if quick else WIDTHS:
        strategy = f"tensor={width},pipeline={CHIPS // width}"
        scenario = Scenario(chips=CHIPS, strategy=strategy, tokens=1, seed=seed)
        rows.append({"tensor": width, **point(scenario)})
    table = pd.DataFrame(rows)
    # Once the pipeline is full, the slowest stage lets one token out at a time.
    table["tokens_per_s_pipeline_bound"] = 1e6 / table["slowest_stage_us"]
    return table, _figure(table[table["feasible"]])


def _figure(table: pd.DataFrame) -> Figure:
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(11, 4.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        labels = [f"{t}x{CHIPS // t}" for t in table["tensor"]]
        bottom = pd.Series(0.0, index=table.index)
        for cause in CAUSES:
            left.bar(labels, table[f"{cause}_us"], bottom=bottom, label=cause)
            bottom += table[f"{cause}_us"]
        left.tick_params(axis="x", rotation=60)
        left.set(
            xlabel="tensor x pipeline",
            ylabel="latency of a token (us)",
            ylim=(0, 1.05 * bottom.max()),
        )
        left.set_title("One user: where a token's time goes", loc="left")
        left.legend(frameon=False)
        right.scatter(
            table["tokens_per_s_per_user"],
            table["tokens_per_s_pipeline_bound"],
            zorder=3,
        )
        for label, (_, row) in zip(labels, table.iterrows(), strict=True):
            place = (row["tokens_per_s_per_user"], row["tokens_per_s_pipeline_bound"])
            right.annotate(
                label,
                place,
                xytext=(0, 5),
                textcoords="offset points",
                size=8,
                ha="center",
            )
        right.margins(0.08)
        right.set(
            xlabel="tokens/s for one user",
            ylabel="tokens/s of a full pipeline (bound)",
            ylim=(0, None),
        )
        right.set_title("Latency against throughput", loc="left")
        right.grid(alpha=0.3)
    return figure


if __name__ == "__main__":
    run_script("sharding_sweep", __doc__ or "", experiment)
