"""Figure of traffic: latency distributions, the queue, and who had which slot."""

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from experiments.plots.run_figure import STYLE
from experiments.service.traffic_run import TrafficRun
from serving.results.slo import PS_PER_MS
from specs.units import PS_PER_S

# Slots and requests beyond these would be thinner than a pixel.
_MOST_REQUESTS = 400
_MEASURES = {"ttft": "first token", "queue": "queue", "e2el": "end to end"}


def traffic_figure(run: TrafficRun) -> Figure:
    """Return the picture of served traffic."""
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(11, 8.5), layout="constrained")
        top, middle, bottom = figure.subplots(3, 1, height_ratios=[1.2, 1, 1.4])
        frame = run.prepared.fleet.frame
        figure.suptitle(
            f"{run.prepared.prepared.name} on {run.file.chips * run.file.replicas} "
            f"chips: {frame.slots} slots, {frame.windows} windows of "
            f"{frame.chunk_tokens} ({frame.policy}), {run.summary['saturation']}",
            size="medium",
        )
        _draw_distributions(top, run)
        _draw_queue(middle, run)
        _draw_slots(bottom, run)
    return figure


def _draw_distributions(axes: Axes, run: TrafficRun) -> None:
    """Draw the distribution function of each latency."""
    done = run.records[run.records["outcome"] == "completed"]
    for name, label in _MEASURES.items():
        values = np.sort(done[f"{name}_ps"].to_numpy()) / PS_PER_MS
        share = np.arange(1, len(values) + 1) / max(len(values), 1)
        axes.step(np.maximum(values, 1e-3), share, where="post", label=label)
    axes.set(xscale="log", xlabel="latency in ms", ylabel="share of requests")
    axes.set_ylim(0, 1.02)
    axes.legend()


def _draw_queue(axes: Axes, run: TrafficRun) -> None:
    """Draw how many requests wait over time."""
    done = run.records[run.records["outcome"] == "completed"]
    arrival, admitted = (
        done[name].to_numpy() / PS_PER_S for name in ("arrival_ps", "admitted_ps")
    )
    moments = np.concatenate([arrival, admitted])
    steps = np.repeat([1, -1], len(done))
    order = np.argsort(moments, kind="stable")
    axes.step(moments[order], np.cumsum(steps[order]), where="post")
    axes.set(xlabel="time in s", ylabel="requests waiting")


def _draw_slots(axes: Axes, run: TrafficRun) -> None:
    """Draw which slot each of the first requests had, and when."""
    done = run.records[run.records["outcome"] == "completed"]
    rows = done[done["slot"] >= 0].head(_MOST_REQUESTS)
    slots = run.prepared.fleet.frame.slots
    line = rows["replica"].to_numpy() * slots + rows["slot"].to_numpy()
    for begin, end, label in (
        ("admitted_ps", "first_token_ps", "prompt"),
        ("first_token_ps", "end_ps", "decoding"),
    ):
        left, right = (rows[name].to_numpy() / PS_PER_S for name in (begin, end))
        segments = np.stack(
            [np.stack([left, line], axis=1), np.stack([right, line], axis=1)], axis=1
        )
        axes.add_collection(
            LineCollection(
                list(segments),
                linewidths=3,
                colors="C1" if label == "prompt" else "C0",
                label=label,
            )
        )
    axes.autoscale_view()
    axes.set(xlabel=f"time in s, first {len(rows)} requests", ylabel="slot")
    axes.legend(loc="upper right")
