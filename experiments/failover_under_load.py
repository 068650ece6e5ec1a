"""What do users see of a failover, by how loaded the machine is?

Requests of Poisson arrivals, and one failover of constant length in the middle. Each
row is a load and a length of the outage: how many requests end later by half of it at
least than without it, for how long there are such requests, and how late the latest
first tokens and answers are. Passes under way end later by the whole outage, and the
queue that has grown meanwhile must drain.
The full run is Llama-2-70B on 576 chips, the quick one GPT-2 on 24.
"""

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.plots.run_figure import STYLE
from experiments.script.experiment_script import run_script
from experiments.service.fleet_of import PreparedFleet, fleet_of, prepare_fleet
from experiments.service.traffic_cases import LARGE, SMALL, traffic_content
from experiments.service.traffic_run import run_traffic
from experiments.tables.columns import TableRow
from serving.results.slo import PS_PER_MS
from serving.traffic_file import TrafficFile, traffic_file
from specs.units import PS_PER_S

RATES = {"llama-2-70b": (2, 8, 14, 18), "gpt2": (100, 250)}
# Lengths of the outage; `experiments.failover` has what its parts take.
OUTAGES_MS = {"llama-2-70b": (20, 100, 500, 2000), "gpt2": (20, 100)}
_REQUESTS, _QUICK_REQUESTS = 5000, 1000
COLUMNS = {
    "rate_per_s": "rate/s",
    "outage_ms": "outage ms",
    "delayed": "delayed",
    "p99_ttft_ms": "p99 ttft ms",
    "max_ttft_ms": "max ttft",
    "max_delay_ms": "max delay",
    "recovery_s": "recovery s",
}


def experiment(seed: int, quick: bool) -> tuple[pd.DataFrame, Figure]:
    """Run the experiment: what is delayed by load and outage, and its figure."""
    base = SMALL if quick else LARGE
    name = base["model"]
    content = traffic_content(base, seed, _QUICK_REQUESTS if quick else _REQUESTS)
    prepared = prepare_fleet(traffic_file(content, "failover_under_load"))
    rows: list[TableRow] = []
    for rate in RATES[name]:
        traffic = {**content["traffic"], "rate_per_s": rate, "burstiness": 1.0}
        file = traffic_file({**content, "traffic": traffic}, "failover_under_load")
        plain = run_traffic(file, prepared=prepared).records
        rows += [_row(file, prepared, plain, each) for each in OUTAGES_MS[name]]
    table = pd.DataFrame(rows)
    return table, _figure(table)


def _row(
    file: TrafficFile, prepared: PreparedFleet, plain: pd.DataFrame, outage_ms: int
) -> TableRow:
    """Return the experiment's row of an outage at a load."""
    at_s = float(plain["arrival_ps"].iloc[len(plain) // 2]) / PS_PER_S
    outage = {"at_s": at_s, "duration_ms": outage_ms}
    stopped = traffic_file(
        {**file.model_dump(), "outages": [outage]}, "failover_under_load"
    )
    assert stopped.frame is not None
    plan = prepared.prepared.plan
    fleet = fleet_of(stopped, stopped.frame, plan, prepared.fleet.times)
    records = run_traffic(stopped, prepared=prepared._replace(fleet=fleet)).records
    late = (records["end_ps"] - plain["end_ps"]).to_numpy()
    # Frames after an outage have another phase, by which single requests gain or lose.
    delayed = late > outage_ms * PS_PER_MS / 2
    last = records.loc[delayed, "end_ps"].max() if delayed.any() else at_s * PS_PER_S
    return {
        "model": file.model,
        "chips": file.chips,
        "rate_per_s": file.traffic.rate_per_s,
        "outage_ms": outage_ms,
        "requests": len(records),
        "delayed": int(delayed.sum()),
        "p99_ttft_ms": float(np.percentile(records["ttft_ps"], 99)) / 1e9,
        "max_ttft_ms": float(records["ttft_ps"].max()) / 1e9,
        "p99_ttft_without_ms": float(np.percentile(plain["ttft_ps"], 99)) / 1e9,
        "max_delay_ms": float(late.max()) / 1e9,
        "recovery_s": float(last / PS_PER_S - at_s),
    }


def _figure(table: pd.DataFrame) -> Figure:
    """Return the experiment's figure of its table."""
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(11, 5), layout="constrained")
        left, right = figure.subplots(1, 2)
        for outage_ms, rows in table.groupby("outage_ms"):
            label = f"outage of {outage_ms} ms"
            left.plot(rows["rate_per_s"], rows["delayed"], "-o", label=label)
            right.plot(rows["rate_per_s"], rows["recovery_s"], "-o", label=label)
        left.set(xlabel="requests per second", ylabel="requests that end later")
        right.set(xlabel="requests per second", ylabel="s until the last of them ends")
        left.legend(fontsize="small")
        first = table.iloc[0]
        figure.suptitle(f"{first['model']} on {first['chips']} chips", size="large")
    return figure


if __name__ == "__main__":
    run_script("failover_under_load", __doc__ or "", experiment, COLUMNS, digits=3)
