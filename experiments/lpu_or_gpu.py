"""When do 576 LPUs serve users better than GPU servers of equal power or price?

The same requests come to Llama-2-70B on 576 chips, and to servers of eight H100 with
continuous batching by a step law (`serving.continuous_batching`, an assumption with
drawn jitter). Rows are loads, for one GPU server; for as many as draw the power of the
chips, thermal design power on both sides, hosts, switches and cooling not counted; and
for as many as cost as much as the cards, by the dearest reading of the price of a card
(by the cheapest it is one server). Prices are those of `groqrack cost`. The quick run
has fewer requests and loads.
"""

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.cost.cost_of_load import cost_of, purchase_usd
from experiments.cost.equal_servers import (
    equal_power_servers,
    equal_price_servers,
    server_step_law,
)
from experiments.cost.load import Load, traffic_load
from experiments.plots.run_figure import STYLE
from experiments.script.experiment_script import run_script
from experiments.service.fleet_of import PreparedFleet, prepare_fleet
from experiments.service.traffic_cases import LARGE, LENGTHS, traffic_content
from experiments.service.traffic_run import run_traffic
from experiments.tables.columns import TableRow
from serving.continuous_batching import Batched, serve_batched
from serving.requests.request_table import RequestTable
from serving.results.slo import PS_PER_MS, Slo, meets
from serving.traffic_file import traffic_file
from specs.cost import CostSpec, Range, load_costs
from specs.units import PS_PER_S

RATES, QUICK_RATES = (0.5, 1, 2, 4, 8, 11, 14, 20, 40), (1, 11)
# Objectives of someone who reads along, and of someone who cannot wait.
SLOS = {"patient": Slo(ttft_ms=1000, tpot_ms=50), "urgent": Slo(ttft_ms=200, tpot_ms=5)}
_REQUESTS, _QUICK_REQUESTS = 20_000, 500
COLUMNS = {
    "device": "device",
    "devices": "n",
    "equal_in": "equal",
    "rate_per_s": "rate/s",
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
    prices = load_costs()
    servers = {
        "one": 1,
        "power": equal_power_servers(LARGE["chips"]),
        "price": equal_price_servers(LARGE["chips"], prices)[1],
    }
    rows: list[TableRow] = []
    for rate in QUICK_RATES if quick else RATES:
        traffic = {**content["traffic"], "rate_per_s": rate, "burstiness": 1.0}
        rows += _rows(prepared, {**content, "traffic": traffic}, servers, prices, seed)
    table = pd.DataFrame(rows)
    return table, _figure(table)


def _rows(
    prepared: PreparedFleet,
    content: dict[str, object],
    servers: dict[str, int],
    prices: CostSpec,
    seed: int,
) -> list[TableRow]:
    """Return the experiment's rows of a load."""
    file = traffic_file(content, "lpu_or_gpu")
    run = run_traffic(file, prepared=prepared)
    rate, requests = file.traffic.rate_per_s, run.traffic.requests
    load = traffic_load(run)
    rows = [
        {
            **_row("GroqChip1", "all", file.chips, rate, run.records),
            **_price(load, prices, "groqrack"),
        }
    ]
    law = server_step_law()
    for equal_in, count in servers.items():
        batched = serve_batched(requests, law, servers=count, seed=seed)
        records = batched_records(requests, batched)
        devices = count * law.devices
        other = _gpu_load(load, devices, records)
        row = _row("H100", equal_in, devices, rate, records)
        rows.append({**row, **_price(other, prices, "h100")})
    return rows


def _gpu_load(load: Load, devices: int, records: pd.DataFrame) -> Load:
    """Return the load of GPU servers that serve the same requests."""
    span_s = (records["end_ps"].max() - records["arrival_ps"].min()) / PS_PER_S
    # Their power at a load is not modelled: a server draws the most that is published.
    return load._replace(
        machine="h100",
        chips=devices,
        output_tokens_per_s=float(records["output_tokens"].sum() / span_s),
        average_power_w=None,
        idle_power_w=None,
        tdp_power_w=None,
    )


def _price(load: Load, prices: CostSpec, hardware: str) -> TableRow:
    """Return what devices cost to buy, and each million tokens of answers in all.

    Of the known parts, prompts included; empty where nothing is known.
    """
    bought = purchase_usd(prices, hardware, load.chips)
    known = cost_of(load._replace(input_share=None), prices, hardware).known
    ranges = {
        "purchase_usd": bought,
        "known_usd_per_m_output_tokens": known.output_usd_per_m_tokens,
    }
    return {
        f"{name}_{end}": None if value is None else getattr(value, end)
        for name, value in ranges.items()
        for end in Range._fields
    }


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


def _row(
    device: str, equal_in: str, devices: int, rate: float, records: pd.DataFrame
) -> TableRow:
    """Return the experiment's row of devices at a load."""
    done = records[records["outcome"] == "completed"]
    span_s = (done["end_ps"].max() - done["arrival_ps"].min()) / PS_PER_S
    row: TableRow = {
        "model": LARGE["model"],
        "device": device,
        "devices": devices,
        "equal_in": equal_in,
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
