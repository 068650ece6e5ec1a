"""Summary of served requests: the field's measures, by the names of ``vllm bench``."""

from typing import Any

import numpy as np
import pandas as pd

from serving.fleet.fleet import Fleet
from serving.frame import Policy, frame_times
from serving.requests.request_table import Outcome, RequestTable
from serving.results.served import Served
from serving.results.slo import PS_PER_MS
from specs.arrays import Floats, Ints
from specs.units import PS_PER_S

PERCENTILES = (50, 90, 95, 99)
_MEASURES = ("ttft", "tpot", "e2el", "queue")


def traffic_summary(
    fleet: Fleet,
    requests: RequestTable,
    served: Served,
    records: pd.DataFrame,
    *,
    prompt_cycles: int | None = None,
) -> dict[str, Any]:
    """Return counts, rates and latencies of served requests as JSON.

    Parameters
    ----------
    fleet, requests, served
        What served, what was asked, and what became of it.
    records
        Rows as `request_records` returns them.
    prompt_cycles
        For how long all prompts together occupy devices of their own; None if the
        fleet computes them.
    """
    done = records[records["outcome"] == "completed"]
    span_s = _span_ps(records, done) / PS_PER_S
    output, total_in = (
        int(done["output_tokens"].sum()),
        int(done["prompt_tokens"].sum()),
    )
    tpot = done[done["output_tokens"] > 1]
    latencies: dict[str, Any] = {}
    for name in _MEASURES:
        rows = tpot if name == "tpot" else done
        values = rows[f"{name}_ps"].to_numpy() / PS_PER_MS
        latencies.update(_distribution(name, values, np.ones(len(values))))
    gaps, weights = token_gaps_ms(fleet, requests, served)
    latencies.update(_distribution("itl", gaps, weights))
    mean = latencies["mean_tpot_ms"]
    return {
        "completed": len(done),
        "failed": len(records) - len(done),
        "outcomes": records["outcome"].value_counts().sort_index().to_dict(),
        "total_input": total_in,
        "total_output": output,
        "cached_input": int(done["cached_tokens"].sum()),
        "duration_s": span_s,
        "request_throughput": len(done) / span_s if span_s else 0.0,
        "request_goodput": int(records["slo_met"].sum()) / span_s if span_s else 0.0,
        "slo_attainment": float(records["slo_met"].mean()) if len(records) else 0.0,
        "output_throughput": output / span_s if span_s else 0.0,
        "total_token_throughput": (output + total_in) / span_s if span_s else 0.0,
        "max_concurrent_requests": most_at_once(
            done["arrival_ps"].to_numpy(), done["end_ps"].to_numpy()
        ),
        **latencies,
        "cv_tpot": latencies["std_tpot_ms"] / mean if mean else None,
        **load(fleet, requests, served, prompt_cycles=prompt_cycles),
    }


def _span_ps(records: pd.DataFrame, done: pd.DataFrame) -> int:
    """Return the time from the first arrival to the last token."""
    if done.empty:
        return 0
    return int(done["end_ps"].max() - records["arrival_ps"].min())


def _distribution(name: str, values: Floats, weights: Floats) -> dict[str, Any]:
    """Return mean, median, deviation and percentiles of a latency."""
    keys = ["mean", "median", "std", *(f"p{each}" for each in PERCENTILES)]
    if not len(values):
        return {f"{key}_{name}_ms": None for key in keys}
    mean = float(np.average(values, weights=weights))
    spread = float(np.sqrt(np.average((values - mean) ** 2, weights=weights)))
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    at = np.searchsorted(
        reached, [each / 100 * reached[-1] for each in PERCENTILES], side="left"
    )
    ranks = values[order][np.minimum(at, len(values) - 1)].tolist()
    numbers = [mean, ranks[0], spread, *ranks]
    return {f"{key}_{name}_ms": each for key, each in zip(keys, numbers, strict=True)}


def token_gaps_ms(
    fleet: Fleet, requests: RequestTable, served: Served
) -> tuple[Floats, Floats]:
    """Return the times between tokens in ms, and how many of each there are.

    The first gap of a request, the mean of the others, and with drafted tokens the
    zeros between the tokens of a turn.
    """
    done = (served.outcome == Outcome.COMPLETED) & (requests.turns > 0)
    chosen, second, end = (
        fleet.times.cycle_time.ps(column[done]) / PS_PER_MS
        for column in (served.chosen_cycle, served.second_cycle, served.end_cycle)
    )
    turns, tokens = requests.turns[done], requests.output_tokens[done] - 1
    later = (end - second) / np.maximum(turns - 1, 1)
    gaps = np.concatenate([second - chosen, later, np.zeros(len(turns))])
    weights = np.concatenate([np.ones(len(turns)), turns - 1, tokens - turns])
    kept = weights > 0
    return gaps[kept], weights[kept].astype(np.float64)


def most_at_once(begin: Ints, end: Ints) -> int:
    """Return how many of some intervals overlap at most."""
    if not len(begin):
        return 0
    moments = np.concatenate([begin, end])
    steps = np.concatenate([np.ones(len(begin)), -np.ones(len(end))])
    # An interval that ends when another begins is over.
    order = np.lexsort((steps, moments))
    return int(np.cumsum(steps[order]).max())


def slot_cycles(fleet: Fleet, requests: RequestTable, served: Served) -> Ints:
    """Return for how long each request holds its slot, shape ``(requests,)``.

    From its first pass until its last turn has left the first stage. On policy
    ``apart`` the prompt holds none.
    """
    times = frame_times(fleet.times, fleet.frame)
    positions = requests.prompt_tokens - served.cached_tokens
    prompts = -(-positions // fleet.frame.chunk_tokens) * times.window_cycles
    begin = served.admitted_cycle
    if fleet.frame.policy is Policy.APART:
        begin, prompts = served.second_cycle - times.token_cycles, 0 * prompts
    turning = served.end_cycle - times.token_cycles + times.slot_cycles - begin
    held: Ints = np.where(requests.turns > 0, turning, prompts)
    return np.where(served.outcome == Outcome.COMPLETED, held, 0)


def load(
    fleet: Fleet,
    requests: RequestTable,
    served: Served,
    *,
    prompt_cycles: int | None = None,
) -> dict[str, Any]:
    """Return what was offered and used of windows and slots, and the saturation.

    With `prompt_cycles` the windows are the time of the devices that have the prompts.

    OVERLOADED: more windows or slots are asked for than there are while requests come.
    BACKLOGGED: fewer, but at the last arrival more requests wait than there are slots.
    """
    times = frame_times(fleet.times, fleet.frame)
    done = served.outcome == Outcome.COMPLETED
    span = (
        int(served.end_cycle[done].max() - served.ready_cycle[done].min())
        if done.any()
        else 0
    )
    coming = int(np.ptp(served.ready_cycle[done])) if done.any() else 0
    positions = requests.prompt_tokens[done] - served.cached_tokens[done]
    chunks = int((-(-positions // fleet.frame.chunk_tokens)).sum())
    per_frame = fleet.frame.windows
    if fleet.frame.policy in {Policy.ALTERNATE, Policy.APART}:
        window_frame, per_frame = times.window_cycles, 1
    else:
        window_frame = times.frame_cycles
    held = slot_cycles(fleet, requests, served)
    windows = chunks * window_frame / per_frame if per_frame else 0.0
    if prompt_cycles is not None:
        windows = float(prompt_cycles)
    slots = int(held[done].sum()) / times.slots
    busiest = max(windows, slots) / fleet.replicas
    waiting = 0
    if done.any():
        waiting = int(
            (served.admitted_cycle[done] > served.ready_cycle[done].max()).sum()
        )
    state = "STABLE"
    if waiting > fleet.frame.slots * fleet.replicas:
        state = "OVERLOADED" if busiest > coming else "BACKLOGGED"
    return {
        "offered_load": busiest / coming if coming else None,
        "window_utilisation": windows / fleet.replicas / span if span else 0.0,
        "slot_utilisation": slots / fleet.replicas / span if span else 0.0,
        "waiting_at_last_arrival": waiting,
        "saturation": state,
    }
