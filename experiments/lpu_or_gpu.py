"""When does a rack of LPUs serve users better than GPU servers of the same power?

The same requests come to Llama-2-70B on 576 chips, and to servers of eight H100 with
continuous batching by a step law (`serving.continuous_batching`, an assumption with
drawn jitter). Rows are loads, for one GPU server and for as many as draw the power of
the chips: thermal design power on both sides, hosts, switches and cooling not counted.
Prices are not in it: that of a GPU server is not among our sources. The quick run has
fewer requests and loads.
"""

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.burstiness import LENGTHS, traffic_content
from experiments.plots.run_figure import STYLE
from experiments.prompt_tax import LARGE
from experiments.script.experiment_script import run_script
from experiments.service.fleet_of import PreparedFleet, prepare_fleet
from experiments.service.traffic_run import run_traffic
from experiments.tables.columns import TableRow
from serving.continuous_batching import Batched, StepLaw, serve_batched
from serving.requests.request_table import RequestTable
from serving.results.slo import PS_PER_MS, Slo, meets
from serving.traffic_file import traffic_file
from specs.machine import load_machine

RATES, QUICK_RATES = (0.5, 1, 2, 4, 8, 11, 14, 20, 40), (1, 11)
GPUS_PER_SERVER, GPU_TDP_W = 8, 700
# Objectives of someone who reads along, and of someone who cannot wait.
SLOS = {"patient": Slo(ttft_ms=1000, tpot_ms=50), "urgent": Slo(ttft_ms=200, tpot_ms=5)}
_REQUESTS, _QUICK_REQUESTS = 20_000, 500
COLUMNS = {
    "device": "device",
    "devices": "n",
    "rate_per_s": "rate/s",
    "p50_ttft_ms": "p50 ttft",
    "p99_ttft_ms": "p99 ttft",
    "p50_tpot_ms": "p50 tpot",
    "p99_tpot_ms": "p99 tpot",
    "patient_met": "patient",
    "urgent_met": "urgent",
}


def experiment(seed: int, quick: bool) -> tuple[pd.DataFrame, Figure]:
    """Run the experiment: latencies and goodput of both by load, and its figure."""
    count = _QUICK_REQUESTS if quick else _REQUESTS
    content = traffic_content(LARGE, seed, count)
    prepared = prepare_fleet(traffic_file(content, "lpu_or_gpu"))
    servers = equal_power_servers(LARGE["chips"])
    rows: list[TableRow] = []
    for rate in QUICK_RATES if quick else RATES:
        traffic = {**content["traffic"], "rate_per_s": rate, "burstiness": 1.0}
        rows += _rows(prepared, {**content, "traffic": traffic}, servers, seed)
    table = pd.DataFrame(rows)
    return table, _figure(table)


def equal_power_servers(chips: int) -> int:
    """Return the servers of the experiment that draw the power of so many chips."""
    tdp_w = load_machine("groqrack").power.chip_tdp_w
    assert tdp_w is not None
    return round(chips * tdp_w / (GPUS_PER_SERVER * GPU_TDP_W))


def _rows(
    prepared: PreparedFleet, content: dict[str, object], servers: int, seed: int
) -> list[TableRow]:
    """Return the experiment's rows of a load."""
    file = traffic_file(content, "lpu_or_gpu")
    run = run_traffic(file, prepared=prepared)
    rate, requests = file.traffic.rate_per_s, run.traffic.requests
    rows = [_row("GroqChip1", file.chips, rate, run.records)]
    for count in (1, servers):
        batched = serve_batched(requests, StepLaw(), servers=count, seed=seed)
        records = batched_records(requests, batched)
        rows.append(_row("H100", count * GPUS_PER_SERVER, rate, records))
    return rows


def batched_records(requests: RequestTable, batched: Batched) -> pd.DataFrame:
    """Return the latencies of requests on GPU servers, a row for each."""
    first, end = batched
    gaps = np.maximum(requests.output_tokens - 1, 1)
    return pd.DataFrame(
        {
            "outcome": "completed",
            "output_tokens": requests.output_tokens,
            "arrival_ps": requests.arrival_ps,
            "end_ps": end,
            "ttft_ps": first - requests.arrival_ps,
            "tpot_ps": (end - first) // gaps,
            "e2el_ps": end - requests.arrival_ps,
        }
    )


def _row(device: str, devices: int, rate: float, records: pd.DataFrame) -> TableRow:
    """Return the experiment's row of devices at a load."""
    done = records[records["outcome"] == "completed"]
    span_s = (done["end_ps"].max() - done["arrival_ps"].min()) / 1e12
    row: TableRow = {
        "model": LARGE["model"],
        "device": device,
        "devices": devices,
        "rate_per_s": rate,
        "completed": len(done),
    }
    for name in ("ttft", "tpot", "e2el"):
        rows = done[done["output_tokens"] > 1] if name == "tpot" else done
        for percentile in (50, 99):
            value = np.percentile(rows[f"{name}_ps"], percentile) / PS_PER_MS
            row[f"p{percentile}_{name}_ms"] = float(value)
    for name, slo in SLOS.items():
        met = meets(records, slo)
        row[f"{name}_met"] = float(met.mean())
        row[f"{name}_goodput_per_s"] = float(met.sum() / span_s)
    return row


def _figure(table: pd.DataFrame) -> Figure:
    """Return the experiment's figure of its table."""
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(12, 5), layout="constrained")
        axes = figure.subplots(1, 3)
        columns = {
            "p99_ttft_ms": "p99 time to first token in ms",
            "p99_tpot_ms": "p99 time per token in ms",
            "urgent_goodput_per_s": "requests/s within 200 ms and 5 ms",
        }
        for each, (column, label) in zip(axes, columns.items(), strict=True):
            for (device, devices), rows in table.groupby(
                ["device", "devices"], sort=False
            ):
                name = f"{devices} {device}"
                each.plot(rows["rate_per_s"], rows[column], "-o", label=name)
            each.set(xlabel="requests per second", ylabel=label)
            each.set_xscale("log")
        for each in axes[:2]:
            each.set_yscale("log")
        axes[0].legend(fontsize="small")
        longest = LENGTHS[LARGE["model"]]
        figure.suptitle(
            f"{LARGE['model']}: prompts of {longest[0]} and answers of {longest[2]} "
            f"tokens in the median",
            size="large",
        )
    return figure


if __name__ == "__main__":
    run_script("lpu_or_gpu", __doc__ or "", experiment, COLUMNS, digits=3)
