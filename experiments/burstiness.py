"""How much load can users bring within their objectives, by how bursty they come?

The same lengths of prompts and answers come at several rates, with intervals of a gamma
distribution: its shape is the burstiness of ``vllm bench serve``, 1 is Poisson. The
time per token is the frame at any load; what grows is the queue. The full run is
Llama-2-70B on 576 chips, the quick one GPT-2 on 24.
"""

import matplotlib.style
import pandas as pd
from matplotlib.figure import Figure

from experiments.plots.run_figure import STYLE
from experiments.script.experiment_script import run_script
from experiments.service.fleet_of import prepare_fleet
from experiments.service.traffic_cases import LARGE, SMALL, traffic_content
from experiments.service.traffic_run import run_traffic
from experiments.tables.columns import TableRow
from serving.traffic_file import traffic_file

SHAPES, QUICK_SHAPES = (0.25, 0.5, 1.0, 4.0), (0.25, 4.0)
# Rates in requests per second, by model.
RATES = {"llama-2-70b": (2, 5, 8, 11, 14, 17, 20, 25), "gpt2": (100, 200, 300)}
_REQUESTS, _QUICK_REQUESTS = 20_000, 2000
COLUMNS = {
    "burstiness": "burstiness",
    "rate_per_s": "rate/s",
    "p50_ttft_ms": "p50 ttft ms",
    "p99_ttft_ms": "p99 ttft ms",
    "mean_tpot_ms": "tpot ms",
    "slo_attainment": "met",
    "request_goodput": "goodput/s",
    "saturation": "state",
}


def experiment(seed: int, quick: bool) -> tuple[pd.DataFrame, Figure]:
    """Run the experiment: goodput and first tokens by load, and its figure."""
    base = SMALL if quick else LARGE
    content = traffic_content(base, seed, _QUICK_REQUESTS if quick else _REQUESTS)
    prepared = prepare_fleet(traffic_file(content, "burstiness"))
    rows: list[TableRow] = []
    for shape in QUICK_SHAPES if quick else SHAPES:
        for rate in RATES[base["model"]]:
            traffic = {**content["traffic"], "burstiness": shape, "rate_per_s": rate}
            file = traffic_file({**content, "traffic": traffic}, "burstiness")
            facts = run_traffic(file, prepared=prepared).summary
            rows.append(
                {
                    "model": base["model"],
                    "chips": base["chips"],
                    "burstiness": shape,
                    "rate_per_s": rate,
                    **{
                        name: value
                        for name, value in facts.items()
                        if name != "outcomes"
                    },
                }
            )
    table = pd.DataFrame(rows)
    return table, _figure(table)


def _figure(table: pd.DataFrame) -> Figure:
    """Return the experiment's figure of its table."""
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(11, 5), layout="constrained")
        left, right = figure.subplots(1, 2)
        for shape, rows in table.groupby("burstiness"):
            label = f"burstiness {shape:g}"
            left.plot(rows["rate_per_s"], rows["p99_ttft_ms"], "-o", label=label)
            right.plot(rows["rate_per_s"], rows["request_goodput"], "-o", label=label)
        left.set_yscale("log")
        left.set(xlabel="requests per second", ylabel="p99 time to first token in ms")
        right.plot(
            table["rate_per_s"], table["rate_per_s"], "--", color="0.5", label="all met"
        )
        right.set(xlabel="requests per second", ylabel="requests/s within objectives")
        right.legend(fontsize="small")
        first = table.iloc[0]
        figure.suptitle(f"{first['model']} on {first['chips']} chips", size="large")
    return figure


if __name__ == "__main__":
    run_script("burstiness", __doc__ or "", experiment, COLUMNS, digits=3)
