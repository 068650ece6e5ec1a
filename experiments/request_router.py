"""When does it pay to send urgent requests to LPUs and the others to GPU servers?

Some of the requests are urgent, the others patient (`lpu_or_gpu` has both objectives).
The same come to two pipelines of 576 LPUs, to GPU servers of the same power, and to one
pipeline beside half of the servers with a router between them: urgent requests to the
pipeline, the others to the servers. Rows are loads and shares of urgent requests. The
table ``thresholds`` has what one pipeline and the servers of its power carry, by the
time per token that is asked for: where only the pipeline carries any, a router pays
while urgent requests come no faster than that. The GPU servers follow a step law, which
is an assumption. The quick run has fewer requests, loads and objectives.
"""

from collections.abc import Callable
from dataclasses import replace

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.cost.equal_servers import equal_power_servers, server_step_law
from experiments.lpu_or_gpu import SLOS, batched_records
from experiments.plots.run_figure import STYLE
from experiments.script.experiment_script import run_script
from experiments.service.fleet_of import prepare_fleet
from experiments.service.traffic_cases import LARGE, traffic_content
from experiments.tables.columns import TableRow
from serving.continuous_batching import serve_batched
from serving.fleet.fleet import Fleet
from serving.requests.request_table import RequestTable, request_table
from serving.requests.traffic_spec import traffic
from serving.results.records import request_records
from serving.results.slo import Slo, meets
from serving.timetable.engine import serve
from serving.traffic_file import TrafficFile, traffic_file

Chosen = NDArray[np.bool_]
RATES, QUICK_RATES = (5.0, 10.0, 20.0, 40.0), (10.0,)
SHARES, QUICK_SHARES = (0.02, 0.1, 0.2, 0.3, 0.5, 0.8), (0.1, 0.8)
# Times per token in ms that urgent requests ask for, with their 200 ms to the first.
TPOTS, QUICK_TPOTS = (5.0, 8.0, 10.0, 12.0, 15.0, 20.0), (5.0, 20.0)
# Objectives count as kept if so many of the urgent requests meet them.
KEPT = 0.99
# A threshold lies between a rate that is kept and one this much higher that is not.
_LOWEST, _HIGHEST, _STEP, _QUICK_STEP = 0.25, 256.0, 1.05, 1.3
_REQUESTS, _QUICK_REQUESTS = 4000, 400
# Seconds for which they come: a burst that is over sooner says little of a rate.
_LEAST_S = 20.0
COLUMNS = {
    "rate_per_s": "rate/s",
    "urgent_share": "urgent",
    "system": "system",
    "urgent_met": "urgent met",
    "patient_met": "patient met",
    "request_goodput": "goodput/s",
    "best": "best",
}


def experiment(
    seed: int, quick: bool
) -> tuple[pd.DataFrame, Figure, dict[str, pd.DataFrame]]:
    """Run the experiment: goodput of three systems, thresholds, and their figure."""
    count, step = (_QUICK_REQUESTS, _QUICK_STEP) if quick else (_REQUESTS, _STEP)
    file = traffic_file(traffic_content(LARGE, seed, count), "request_router")
    pipeline, servers = prepare_fleet(file).fleet, equal_power_servers(file.chips)
    rows: list[TableRow] = []
    for rate in QUICK_RATES if quick else RATES:
        requests = _requests(file, rate)
        for share in QUICK_SHARES if quick else SHARES:
            rows += _rows(pipeline, servers, requests, (rate, share), seed)
    thresholds = pd.DataFrame(
        [
            _threshold(file, pipeline, servers, (each, step), seed)
            for each in (QUICK_TPOTS if quick else TPOTS)
        ]
    )
    table = pd.DataFrame(rows)
    return table, _figure(table, thresholds), {"thresholds": thresholds}


def _requests(file: TrafficFile, rate: float, least_s: float = 0) -> RequestTable:
    """Return requests of a Poisson process, for so many seconds at least."""
    count = max(file.traffic.requests, round(rate * least_s))
    update = {"arrivals": "poisson", "rate_per_s": rate, "requests": count}
    spec = file.traffic.model_copy(update=update)
    return traffic(spec, seed=file.seed).requests


def _rows(
    pipeline: Fleet,
    servers: int,
    requests: RequestTable,
    point: tuple[float, float],
    seed: int,
) -> list[TableRow]:
    """Return the experiment's rows of a rate and a share of urgent requests."""
    rate, share = point
    random = np.random.default_rng([seed, round(1000 * share)])
    urgent = random.random(requests.size) < share
    everyone = np.ones(requests.size, dtype=np.bool_)
    # Who goes to LPUs, to how many pipelines, and how many servers the others have.
    systems = {
        "lpus": (everyone, 2, 0),
        "gpus": (~everyone, 0, 2 * servers),
        "router": (urgent, 1, servers),
    }
    span_s = float(np.ptp(requests.arrival_ps)) / 1e12
    rows: list[TableRow] = []
    for name, (to_lpus, pipelines, count) in systems.items():
        met = {each: np.zeros(requests.size, dtype=np.bool_) for each in SLOS}
        for chosen, records in (
            (to_lpus, _on_lpus(pipeline, pipelines, requests, to_lpus)),
            (~to_lpus, _on_servers(count, requests, ~to_lpus, seed)),
        ):
            if records is None:
                continue
            for each, slo in SLOS.items():
                met[each][chosen] = meets(records, slo)
        good = np.where(urgent, met["urgent"], met["patient"])
        rows.append(
            {
                "model": LARGE["model"],
                "rate_per_s": rate,
                "urgent_share": share,
                "system": name,
                "pipelines": pipelines,
                "servers": count,
                "urgent_met": float(good[urgent].mean()) if urgent.any() else None,
                "patient_met": float(good[~urgent].mean()) if (~urgent).any() else None,
                "request_goodput": float(good.sum()) / span_s,
            }
        )
    most = max(row["request_goodput"] for row in rows)
    return [{**row, "best": row["request_goodput"] == most} for row in rows]


def _on_lpus(
    pipeline: Fleet, pipelines: int, requests: RequestTable, chosen: Chosen
) -> pd.DataFrame | None:
    """Return the latencies of some requests on LPUs, None if there are none."""
    own = _some(requests, chosen)
    if not own.size:
        return None
    fleet = replace(pipeline, replicas=pipelines)
    return request_records(fleet, own, serve(fleet, own), model="", slo=Slo())


def _on_servers(
    servers: int, requests: RequestTable, chosen: Chosen, seed: int
) -> pd.DataFrame | None:
    """Return the latencies of some requests on GPU servers, None if there are none."""
    own = _some(requests, chosen)
    if not own.size:
        return None
    batched = serve_batched(own, server_step_law(), servers=servers, seed=seed)
    return batched_records(own, batched)


def _some(requests: RequestTable, chosen: Chosen) -> RequestTable:
    """Return some of the requests."""
    return request_table(
        requests.arrival_ps[chosen],
        requests.prompt_tokens[chosen],
        requests.output_tokens[chosen],
    )


def _threshold(
    file: TrafficFile,
    pipeline: Fleet,
    servers: int,
    asked: tuple[float, float],
    seed: int,
) -> TableRow:
    """Return the highest rates that a pipeline and servers carry in time."""
    tpot_ms, step = asked
    slo = Slo(ttft_ms=SLOS["urgent"].ttft_ms, tpot_ms=tpot_ms)

    def kept_by_lpus(rate: float) -> bool:
        requests = _requests(file, rate, _LEAST_S)
        everyone = np.ones(requests.size, dtype=np.bool_)
        records = _on_lpus(pipeline, 1, requests, everyone)
        return records is not None and bool(meets(records, slo).mean() >= KEPT)

    def kept_by_gpus(rate: float) -> bool:
        requests = _requests(file, rate, _LEAST_S)
        everyone = np.ones(requests.size, dtype=np.bool_)
        records = _on_servers(servers, requests, everyone, seed)
        return records is not None and bool(meets(records, slo).mean() >= KEPT)

    return {
        "model": LARGE["model"],
        "ttft_ms": slo.ttft_ms,
        "tpot_ms": tpot_ms,
        "lpus_rate_per_s": _highest(kept_by_lpus, step),
        "gpus_rate_per_s": _highest(kept_by_gpus, step),
    }


def _highest(kept: Callable[[float], bool], step: float) -> float:
    """Return the highest rate at which objectives are kept, to a step; 0 if none is."""
    if not kept(_LOWEST):
        return 0.0
    low, high = _LOWEST, _HIGHEST
    while high > low * step:
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if kept(middle) else (low, middle)
    return low


def _figure(table: pd.DataFrame, thresholds: pd.DataFrame) -> Figure:
    """Return the experiment's figure of its tables."""
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(11, 5), layout="constrained")
        left, right = figure.subplots(1, 2)
        highest = table["rate_per_s"].max()
        names = {
            "lpus": "2 pipelines of LPUs",
            "gpus": "GPU servers of their power",
            "router": "half of each, with a router",
        }
        for name, rows in table[table["rate_per_s"] == highest].groupby(
            "system", sort=False
        ):
            left.plot(
                100 * rows["urgent_share"],
                rows["request_goodput"],
                "-o",
                label=names[str(name)],
            )
        left.set(
            xlabel=f"urgent requests in % of {highest:g}/s",
            ylabel="requests/s within objectives",
        )
        left.set_ylim(0)
        left.legend(fontsize="small")
        right.plot(
            thresholds["tpot_ms"], thresholds["lpus_rate_per_s"], "-o", label="576 LPUs"
        )
        right.plot(
            thresholds["tpot_ms"],
            thresholds["gpus_rate_per_s"],
            "-o",
            label="GPU servers of their power",
        )
        right.set(
            xlabel="time per token asked for in ms",
            ylabel=f"requests/s of which {KEPT:.0%} are in time",
        )
        right.set_ylim(0)
        right.legend(fontsize="small")
        figure.suptitle(f"{LARGE['model']}: urgent and patient requests", size="large")
    return figure


if __name__ == "__main__":
    run_script("request_router", __doc__ or "", experiment, COLUMNS, digits=3)
