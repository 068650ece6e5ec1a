"""Which frame serves the most requests within their objectives, and what limits others?

Frames of slots, windows and positions of a window, each compiled and proven, serve the
same requests of Poisson arrivals. Rows are frames, the best first, with what keeps each
from meeting all objectives: its length, the queue, or the pass of a prompt. The full
run is Llama-2-70B on 576 chips, the quick one GPT-2 on 24.
"""

import matplotlib.style
import pandas as pd
from matplotlib.figure import Figure

from experiments.plots.run_figure import STYLE
from experiments.script.experiment_script import run_script
from experiments.service.frame_plan import best_frame, frame_table, limit
from experiments.service.traffic_cases import LARGE, SMALL, traffic_content
from serving.traffic_file import traffic_file

# Requests per second that come, by model: more than most frames can serve in time.
RATES = {"llama-2-70b": 15, "gpt2": 120}
CHUNKS, QUICK_CHUNKS = (8, 16, 32, 64), (16, 64)
WINDOWS, QUICK_WINDOWS = (1, 2, 3, 4, 6, 8, 12, 16), (1, 2, 4)
# As many as stages; the full run tries up to as many as fit.
QUICK_SLOTS = (12,)
_REQUESTS = 2000
COLUMNS = {
    "slots": "slots",
    "windows": "windows",
    "chunk_tokens": "chunk",
    "frame_ms": "frame ms",
    "request_goodput": "goodput/s",
    "slo_attainment": "met",
    "p99_ttft_ms": "p99 ttft ms",
    "limited_by": "limited by",
}


def experiment(seed: int, quick: bool) -> tuple[pd.DataFrame, Figure]:
    """Run the experiment: goodput of all frames, and its figure."""
    base = SMALL if quick else LARGE
    content = traffic_content(base, seed, _REQUESTS)
    traffic = {**content["traffic"], "rate_per_s": RATES[base["model"]]}
    plan = best_frame(
        traffic_file({**content, "traffic": traffic}, "frame_search"),
        chunks=QUICK_CHUNKS if quick else CHUNKS,
        windows=QUICK_WINDOWS if quick else WINDOWS,
        slots=QUICK_SLOTS if quick else (),
    )
    table = frame_table(plan)
    table.insert(0, "model", base["model"])
    table["limited_by"] = [limit(plan.file, each) for each in plan.tried]
    return table, _figure(table)


def _figure(table: pd.DataFrame) -> Figure:
    """Return the experiment's figure of its table."""
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(11, 5), layout="constrained")
        left, right = figure.subplots(1, 2)
        slots = table["slots"].iloc[0]
        for chunk, rows in table[table["slots"] == slots].groupby("chunk_tokens"):
            part = rows.sort_values("windows")
            label = f"windows of {chunk} positions"
            left.plot(part["windows"], part["request_goodput"], "-o", label=label)
        for reason, rows in table.groupby("limited_by"):
            right.plot(rows["frame_ms"], rows["request_goodput"], "o", label=reason)
        left.set_xscale("log", base=2)
        left.set(
            xlabel=f"windows in a frame of {slots} slots",
            ylabel="requests/s within objectives",
        )
        right.set(xlabel="time per token in ms", ylabel="requests/s within objectives")
        left.legend(fontsize="small")
        right.legend(fontsize="small", title="limited by")
        figure.suptitle(f"{table['model'].iloc[0]}, all frames tried", size="large")
    return figure


if __name__ == "__main__":
    run_script("frame_search", __doc__ or "", experiment, COLUMNS, digits=3)
