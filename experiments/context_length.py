"""What does a longer context cost, in time, in memory and in chips?

A token attends to all of its context, or to a window of it: the KV cache grows beside
the weights until the chips are full. If a model does not fit, the row has the reason.
Contexts longer than the trained one are about the machine alone.
"""

import matplotlib.style
import pandas as pd
from matplotlib.figure import Figure

from experiments.plots.run_figure import STYLE
from experiments.run.scenario_inputs import machine_of, model_of
from experiments.script.experiment_script import run_script
from experiments.tables.columns import TableRow
from experiments.tables.scenario_rows import scenario_row
from sharding.planner.infeasibility import smallest_pipeline
from sharding.planner.memory import kv_cache_bytes
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.stored_weights import checkpoint_bytes
from sharding.weights.task import Task
from specs.scenario import Scenario

# Models, and the chips that they run on.
MODELS = (("llama-2-70b", 576), ("llama-3-70b", 576), ("mistral-7b", 64))
QUICK_MODELS = (("mistral-7b", 64),)
WIDTH = 8
CONTEXTS = tuple(2**power for power in range(10, 18))
QUICK_CONTEXTS = (2**10, 2**12, 2**15)
TICKS = CONTEXTS[::2]
COLUMNS = {
    "model": "model",
    "context_tokens": "context",
    "weight_gb": "weights GB",
    "kv_gb": "KV GB",
    "smallest_chips": "needed",
    "chips": "chips",
    "latency_us": "token us",
    "tokens_per_s_per_user": "tokens/s",
}


def experiment(seed: int, quick: bool) -> tuple[pd.DataFrame, Figure]:
    """Run the experiment: latency, memory and chips by context, and their figure."""
    rows = [
        _row(model, chips, context, seed)
        for model, chips in (QUICK_MODELS if quick else MODELS)
        for context in (QUICK_CONTEXTS if quick else CONTEXTS)
    ]
    table = pd.DataFrame(rows)
    return table, _figure(table)


def _row(name: str, chips: int, context: int, seed: int) -> TableRow:
    """Return the experiment's row of one case."""
    scenario = Scenario(
        model=name,
        chips=chips,
        strategy=f"tensor={WIDTH},pipeline={chips // WIDTH}",
        context=context,
        tokens=1,
        seed=seed,
        engine="replay",
    )
    model = model_of(scenario)
    task = Task(model, machine_of(scenario), WIDTH, context, 1)
    kv_bytes = sum(
        int(kv_cache_bytes(task, Block(BlockKind.ATTENTION, layer, 0, 1, 1), 1).sum())
        for layer in range(model.layers)
    )
    return {
        "model": name,
        "context_tokens": context,
        "trained": context <= model.max_context_tokens,
        "weight_gb": checkpoint_bytes(model, task.machine) / 1e9,
        "kv_gb": kv_bytes / 1e9,
        # None if no number of stages suffices, since attention of a layer is not cut.
        "smallest_chips": WIDTH * smallest_pipeline(task, 1) or None,
        **scenario_row(scenario),
    }


def _figure(table: pd.DataFrame) -> Figure:
    """Return the experiment's figure of its table."""
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(13, 4.4), layout="constrained")
        time, memory, chips = figure.subplots(1, 3)
        for rank, (name, part) in enumerate(table.groupby("model", sort=False)):
            colour = f"C{rank}"
            fits, refused = part[part["feasible"]], part[~part["feasible"]]
            label = f"{name}, {part['chips'].iloc[0]} chips"
            time.plot(
                fits["context_tokens"],
                fits["latency_us"],
                "-o",
                color=colour,
                label=label,
            )
            time.plot(
                refused["context_tokens"],
                [0.03 + 0.035 * rank] * len(refused),
                "x",
                color=colour,
                transform=time.get_xaxis_transform(),
            )
            memory.plot(part["context_tokens"], part["kv_gb"], "-o", color=colour)
            memory.axhline(part["weight_gb"].iloc[0], color=colour, linestyle="--")
            chips.plot(
                part["context_tokens"], part["smallest_chips"], "-o", color=colour
            )
            trained = part.loc[part["trained"], "context_tokens"].max()
            for axes in (time, memory, chips):
                axes.axvline(trained, color=colour, linestyle=":", linewidth=1)
        time.plot([], [], "kx", label="does not fit")
        time.plot([], [], "k:", label="longest trained")
        time.set(ylabel="latency of a token (us)", ylim=(0, None))
        time.set_title("Time", loc="left")
        time.legend(frameon=False, fontsize="small", loc="center left")
        memory.set_yscale("log")
        memory.set(ylabel="GB")
        memory.set_title("KV cache; dashed: weights", loc="left")
        chips.set(ylabel="chips", ylim=(0, None))
        chips.set_title(f"Fewest chips that hold it, tensor={WIDTH}", loc="left")
        for axes in (time, memory, chips):
            axes.set_xscale("log", base=2)
            axes.set_xticks(TICKS, [f"{tick // 1024}k" for tick in TICKS])
            axes.set_xlabel("context (positions)")
    return figure


if __name__ == "__main__":
    run_script("context_length", __doc__ or "", experiment, COLUMNS)
