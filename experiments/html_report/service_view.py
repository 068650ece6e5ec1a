"""View of served requests: what the pictures of their report show."""

from typing import Any

import numpy as np
import pandas as pd

from experiments.html_report.column_packing import packed
from experiments.html_report.run_folder import RunFolder
from specs.units import PS_PER_S, PS_PER_US, US_PER_MS

MEASURES = ("ttft", "tpot", "queue", "e2el")
# Points of a curve, parts of the time, requests of the strip, and rows of the table.
MOST_POINTS = 600
QUEUE_PARTS = 300
MOST_REQUESTS = 4000
_PS_PER_MS = US_PER_MS * PS_PER_US


def service_view(folder: RunFolder) -> dict[str, Any]:
    """Return what the pictures of served requests show, as JSON values."""
    requests = folder.tables["requests"]
    done = requests[requests["outcome"] == "completed"]
    frame = folder.summary["frame"]
    return {
        "kind": folder.kind,
        "slots": frame["slots"],
        "latencies": {name: latency_curve(done, name) for name in MEASURES},
        "queue": packed(waiting(done)),
        "requests": packed(requests.head(MOST_REQUESTS)),
        "all_requests": len(requests),
        "slo": folder.summary["inputs"].get("slo", {}),
    }


def latency_curve(done: pd.DataFrame, name: str) -> dict[str, Any]:
    """Return the distribution of a latency of completed requests.

    Returns
    -------
    dict
        ``latency_ms`` in ascending order, and the ``share`` of requests up to each.
    """
    if name == "tpot":
        done = done[done["output_tokens"] > 1]
    values = np.sort(done[f"{name}_ps"].to_numpy(dtype=np.float64)) / _PS_PER_MS
    rank = np.arange(1, len(values) + 1)
    if len(values) > MOST_POINTS:
        # The tail is what users feel: a third of the points lie in the last percent.
        body = np.linspace(0, 0.99, MOST_POINTS * 2 // 3)
        shares = np.concatenate([body, np.linspace(0.99, 1, MOST_POINTS // 3)])
        rank = np.unique(np.maximum(np.ceil(shares * len(values)).astype(int), 1))
    return {
        "latency_ms": np.round(values[rank - 1], 6).tolist(),
        "share": np.round(rank / max(len(values), 1), 6).tolist(),
    }


def waiting(done: pd.DataFrame) -> pd.DataFrame:
    """Return how many requests wait, on average and at most in parts of the time.

    Returns
    -------
    DataFrame
        Columns time_s (start of the part), waiting_mean, waiting_most.
    """
    columns = ["time_s", "waiting_mean", "waiting_most"]
    if done.empty:
        return pd.DataFrame(columns=columns)
    moments = done[["arrival_ps", "admitted_ps"]].to_numpy(dtype=np.float64).T.ravel()
    steps = np.repeat([1, -1], len(done))
    edges = np.linspace(moments.min(), done["end_ps"].max(), QUEUE_PARTS + 1)
    # The queue is looked at where it changes, and where a part begins.
    at = np.concatenate([moments, edges[:-1]])
    change = np.concatenate([steps, np.zeros(QUEUE_PARTS, dtype=np.int64)])
    order = np.lexsort((-change, at))
    at, count = at[order], change[order].cumsum()
    part = np.clip(np.searchsorted(edges, at, "right") - 1, 0, QUEUE_PARTS - 1)
    lasts = np.diff(at, append=edges[-1])
    rows = pd.DataFrame({"part": part, "most": count, "area": count * lasts})
    parts = rows.groupby("part").agg({"most": "max", "area": "sum"})
    mean = parts["area"] / (edges[1] - edges[0])
    begin = np.round(edges[:-1][parts.index] / PS_PER_S, 9)
    numbers = (begin, mean.round(4).to_numpy(), parts["most"].to_numpy())
    return pd.DataFrame(dict(zip(columns, numbers, strict=True)))
