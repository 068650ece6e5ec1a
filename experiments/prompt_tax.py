"""What do prompts cost those who decode, and which frame makes them cost least?

A fleet that always has users waiting, each with a prompt of constant length and an
answer of constant length. Rows are frames: windows, and positions of a window. Beside
each is what the same slots decode without prompts, and the time per token of a user.
The full run is Llama-2-70B on 576 chips, the quick one GPT-2 on 24.
"""

import matplotlib.style
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
from experiments.service.traffic_cases import LARGE, SIZES, SMALL
from experiments.service.traffic_run import run_traffic, traffic_document
from experiments.tables.columns import TableRow
from serving.compiled_times import ServiceCompiler
from serving.traffic_file import FrameSpec, TrafficFile, traffic_file

CHUNKS, QUICK_CHUNKS = (8, 16, 32, 64, 128), (16, 64)
WINDOWS, QUICK_WINDOWS = (1, 2, 4, 8, 16), (1, 4)
_REQUESTS = 2000
COLUMNS = {
    "chunk_tokens": "chunk",
    "windows": "windows",
    "frame_ms": "frame ms",
    "tokens_per_s_per_user": "tokens/s",
    "tokens_per_s_without_prompts": "without",
    "output_throughput": "with",
    "prompt_tax": "tax",
}


def experiment(seed: int, quick: bool) -> tuple[pd.DataFrame, Figure]:
    """Run the experiment: throughput with and without prompts, and its figure."""
    base = SMALL if quick else LARGE
    slots, prompt, output = SIZES[base["model"]]
    file = traffic_file(
        {
            **base,
            "seed": seed,
            "traffic": {
                "arrivals": "closed",
                "max_concurrency": 2 * slots,
                "requests": _REQUESTS,
                "prompt": {"tokens": prompt},
                "output": {"tokens": output},
            },
        },
        "prompt_tax",
    )
    rows: list[TableRow] = []
    compiler: ServiceCompiler | None = None
    for chunk in QUICK_CHUNKS if quick else CHUNKS:
        frame = FrameSpec(slots=slots, windows=1, chunk_tokens=chunk)
        prepared = prepare_replica(file, frame)
        compiler = compiler or ServiceCompiler(prepared.topology)
        times = replica_times(file, frame, prepared, compiler)
        for windows in QUICK_WINDOWS if quick else WINDOWS:
            spec = frame.model_copy(update={"windows": windows})
            fleet = fleet_of(file, spec, prepared.plan, times)
            rows.append(_row(file, PreparedFleet(prepared, fleet)))
    table = pd.DataFrame(rows)
    return table, _figure(table)


def _row(file: TrafficFile, prepared: PreparedFleet) -> TableRow:
    """Return the experiment's row of a frame."""
    run = run_traffic(file, prepared=prepared)
    document = traffic_document(run)
    frame, without = (
        document["frame"],
        document["frame"]["tokens_per_s_without_prompts"],
    )
    return {
        "model": file.model,
        "chips": file.chips,
        "strategy": file.strategy,
        "slots": frame["slots"],
        "windows": frame["windows"],
        "chunk_tokens": frame["chunk_tokens"],
        "frame_ms": 1e3 / frame["tokens_per_s_per_user"],
        "tokens_per_s_per_user": frame["tokens_per_s_per_user"],
        "tokens_per_s_without_prompts": without,
        "output_throughput": document["output_throughput"],
        "prompt_tax": 1 - document["output_throughput"] / without,
        "slot_utilisation": document["slot_utilisation"],
        "window_utilisation": document["window_utilisation"],
    }


def _figure(table: pd.DataFrame) -> Figure:
    """Return the experiment's figure of its table."""
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(11, 5), layout="constrained")
        left, right = figure.subplots(1, 2)
        for chunk, rows in table.groupby("chunk_tokens"):
            label = f"windows of {chunk} positions"
            left.plot(rows["windows"], rows["output_throughput"], "-o", label=label)
            right.plot(rows["frame_ms"], rows["output_throughput"], "-o", label=label)
        left.axhline(
            table["tokens_per_s_without_prompts"].iloc[0],
            linestyle="--",
            color="0.5",
            label="without prompts",
        )
        left.set_xscale("log", base=2)
        left.set(xlabel="windows in a frame", ylabel="tokens/s of all users")
        right.set(xlabel="time per token in ms", ylabel="tokens/s of all users")
        left.legend(fontsize="small")
        first = table.iloc[0]
        figure.suptitle(f"{first['model']} on {first['chips']} chips", size="large")
    return figure


if __name__ == "__main__":
    run_script("prompt_tax", __doc__ or "", experiment, COLUMNS, digits=3)
