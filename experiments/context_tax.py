"""What does a longer context cost in slots and tokens/s, and what if contexts mix?

Rows are contexts: as many slots as fit beside the weights, what a slot and a frame
take, and what all slots decode, without prompts and with a frame's windows. The table
``mixed`` has short requests with a share of long ones on two replicas: in frames that
always fit the longest, in frames only as long as the contexts in flight need, and with
requests sorted over the replicas by context. The full run is Llama-2-70B on 576 chips,
the quick one GPT-2 on 24.
"""

from typing import Any

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.plots.run_figure import STYLE
from experiments.script.experiment_script import run_script
from experiments.service.fleet_of import (
    PreparedFleet,
    fleet_of,
    prepare_replica,
    replica_times,
)
from experiments.service.frame_plan import most_slots
from experiments.service.traffic_cases import LARGE, SMALL
from experiments.service.traffic_run import run_traffic
from experiments.tables.columns import TableRow
from serving.compiled_times import ServiceCompiler
from serving.frame import frame_times
from serving.results.slo import PS_PER_MS
from serving.traffic_file import FrameSpec, TrafficFile, traffic_file
from specs.units import US_PER_S

# Contexts, windows of a frame and positions of a window, by model.
CONTEXTS = {"llama-2-70b": (500, 1000, 2000, 4000), "gpt2": (250, 1000)}
FRAMES = {"llama-2-70b": (4, 32), "gpt2": (2, 32)}
# Prompt and answer of a short and of a long request, and requests per second.
MIXES = {
    "llama-2-70b": ((500, 150), (3000, 600), 8.0),
    "gpt2": ((100, 50), (700, 200), 200.0),
}
SHARES, QUICK_SHARES = (0.0, 0.01, 0.05, 0.2), (0.1,)
# Frames of mixed requests: router, and whether a frame follows the contexts in flight.
MIXED = {
    "longest": ("round_robin", False),
    "in flight": ("round_robin", True),
    "sorted": ("by_context", True),
}
_BUCKETS = {"llama-2-70b": 4, "gpt2": 2}
_REQUESTS, _QUICK_REQUESTS = 4000, 120
COLUMNS = {
    "context_tokens": "context",
    "slots": "slots",
    "slot_us": "slot us",
    "frame_ms": "frame ms",
    "tokens_per_s_per_user": "tokens/s",
    "tokens_per_s": "of all",
    "tokens_per_s_without_prompts": "without prompts",
}


def experiment(
    seed: int, quick: bool
) -> tuple[pd.DataFrame, Figure, dict[str, pd.DataFrame]]:
    """Run the experiment: slots and rates by context, mixes, and their figure."""
    base = SMALL if quick else LARGE
    contexts = CONTEXTS[base["model"]]
    topology = prepare_replica(_file(base, contexts[-1], seed), FrameSpec(slots=1))
    compiler = ServiceCompiler(topology.topology)
    table = pd.DataFrame([_row(base, each, seed, compiler) for each in contexts])
    slots = int(table["slots"].min())
    mixed = pd.DataFrame(_mixed_rows(base, slots, seed, compiler, quick))
    return table, _figure(table, mixed), {"mixed": mixed}


def _file(base: dict[str, Any], context: int, seed: int) -> TrafficFile:
    """Return the traffic file of a context."""
    return traffic_file({**base, "context": context, "seed": seed}, "context_tax")


def _row(
    base: dict[str, Any], context: int, seed: int, compiler: ServiceCompiler
) -> TableRow:
    """Return the experiment's row of a context."""
    file = _file(base, context, seed)
    windows, chunk = FRAMES[base["model"]]
    frame = FrameSpec(
        slots=most_slots(file, chunk), windows=windows, chunk_tokens=chunk
    )
    prepared = prepare_replica(file, frame)
    times = replica_times(file, frame, prepared, compiler)
    fleet = fleet_of(file, frame, prepared.plan, times)
    laid = frame_times(times, fleet.frame)
    period = int(times.period_cycles[-1])
    return {
        "model": base["model"],
        "chips": base["chips"],
        "strategy": base["strategy"],
        "context_tokens": context,
        "slots": frame.slots,
        "windows": windows,
        "chunk_tokens": chunk,
        "slot_us": laid.slot_cycles / times.clock_hz * US_PER_S,
        "frame_ms": laid.frame_cycles / times.clock_hz * 1e3,
        "tokens_per_s_per_user": times.clock_hz / laid.frame_cycles,
        "tokens_per_s": times.clock_hz / laid.frame_cycles * frame.slots,
        "tokens_per_s_without_prompts": times.clock_hz / period * frame.slots,
        "kv_bytes_per_token": times.kv_bytes_per_token,
    }


def _mixed_rows(
    base: dict[str, Any],
    slots: int,
    seed: int,
    compiler: ServiceCompiler,
    quick: bool,
) -> list[TableRow]:
    """Return the experiment's rows of mixed contexts."""
    content = _mixed_content(base, slots, seed, quick)
    asked = traffic_file(content, "context_tax")
    assert asked.frame is not None
    prepared = prepare_replica(asked, asked.frame)
    times = replica_times(asked, asked.frame, prepared, compiler)
    rows: list[TableRow] = []
    for share in QUICK_SHARES if quick else SHARES:
        lengths = zip(*MIXES[base["model"]][:2], strict=True)
        traffic = {
            **content["traffic"],
            **{
                name: {
                    "kind": "histogram",
                    "values": values,
                    "weights": [1 - share, share],
                }
                for name, values in zip(("prompt", "output"), lengths, strict=True)
            },
        }
        for name, (router, in_flight) in MIXED.items():
            file = traffic_file(
                {
                    **content,
                    "router": router,
                    "frame": {**content["frame"], "in_flight": in_flight},
                    "traffic": traffic,
                },
                "context_tax",
            )
            assert file.frame is not None
            fleet = fleet_of(file, file.frame, prepared.plan, times)
            run = run_traffic(file, prepared=PreparedFleet(prepared, fleet))
            rows.append(
                {
                    "model": base["model"],
                    "long_share": share,
                    "frames": name,
                    "slots": slots,
                    **_seen(run.records, MIXES[base["model"]][0][0]),
                    "saturation": run.summary["saturation"],
                }
            )
    return rows


def _mixed_content(
    base: dict[str, Any], slots: int, seed: int, quick: bool
) -> dict[str, Any]:
    """Return the traffic file of mixed contexts, but for their lengths."""
    windows, chunk = FRAMES[base["model"]]
    context = CONTEXTS[base["model"]][-1]
    return {
        **base,
        "context": context,
        "context_bucket": context // _BUCKETS[base["model"]],
        "replicas": 2,
        "seed": seed,
        "frame": {
            "slots": slots,
            "windows": windows,
            "chunk_tokens": chunk,
            # Chunks set the pace where frames change: the same for all.
            "pace": "chunk",
        },
        "traffic": {
            "arrivals": "poisson",
            "rate_per_s": MIXES[base["model"]][2],
            "requests": _QUICK_REQUESTS if quick else _REQUESTS,
        },
    }


def _seen(records: pd.DataFrame, short_prompt: int) -> TableRow:
    """Return what users of short and of long requests see."""
    done = records[records["outcome"] == "completed"]
    short = done["prompt_tokens"] == short_prompt
    row: TableRow = {"completed": len(done)}
    for name, rows in (("short", done[short]), ("long", done[~short])):
        for measure in ("tpot", "ttft"):
            values = rows[f"{measure}_ps"].to_numpy() / PS_PER_MS
            for percentile in (50, 99):
                key = f"p{percentile}_{measure}_{name}_ms"
                row[key] = (
                    float(np.percentile(values, percentile)) if len(values) else None
                )
    return row


def _figure(table: pd.DataFrame, mixed: pd.DataFrame) -> Figure:
    """Return the experiment's figure of its tables."""
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(13, 5), layout="constrained")
        slots, rates, mixes = figure.subplots(1, 3)
        slots.plot(table["context_tokens"], table["slots"], "-o", label="slots")
        slots.set(xlabel="longest context", ylabel="slots that fit")
        slots.set_yscale("log", base=2)
        without, with_prompts = (
            "tokens_per_s_without_prompts",
            "tokens_per_s",
        )
        labels = {without: "without prompts", with_prompts: "in frames with windows"}
        for column, label in labels.items():
            rates.plot(table["context_tokens"], table[column], "-o", label=label)
        rates.set(xlabel="longest context", ylabel="tokens/s of all slots")
        rates.set_ylim(0, 1.1 * table[without].max())
        rates.legend(fontsize="small")
        for name, rows in mixed.groupby("frames", sort=False):
            mixes.plot(
                100 * rows["long_share"],
                rows["p50_tpot_short_ms"],
                "-o",
                label=f"frames: {name}",
            )
        mixes.set(
            xlabel="long requests in %", ylabel="time per token of short ones in ms"
        )
        mixes.set_ylim(0, 1.1 * mixed["p50_tpot_short_ms"].max())
        mixes.legend(fontsize="small")
        for each in (slots, rates):
            each.set_xscale("log", base=2)
            each.set_xticks(table["context_tokens"], table["context_tokens"])
        first = table.iloc[0]
        figure.suptitle(f"{first['model']} on {first['chips']} chips", size="large")
    return figure


if __name__ == "__main__":
    run_script("context_tax", __doc__ or "", experiment, COLUMNS, digits=3)
