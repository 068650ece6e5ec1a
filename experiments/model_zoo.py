"""How fast does each shipped model decode on its smallest machine, and on larger ones?

The tensor group is a node of 8 chips, with the fewest stages that hold the model at
context 4,096, or its longest. Larger machines have as many stages, of wider groups.
"""

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.plots.run_figure import STYLE
from experiments.script.experiment_script import run_script
from experiments.tables.columns import TableRow
from experiments.tables.scenario_rows import scenario_row
from sharding.planner.infeasibility import smallest_pipeline
from sharding.weights.task import Task
from specs.machine import MachineSpec, load_machine
from specs.model import ModelSpec, load_model, model_names
from specs.scenario import Scenario

CONTEXT = 4096
WIDTH = 8
# A tensor group is one node, two, or four.
WIDENINGS = (1, 2, 4)
QUICK_MODELS = ("bert-base", "gpt2", "llama-2-7b")
COLUMNS = {
    "model": "model",
    "parameters_g": "G params",
    "chips": "chips",
    "strategy": "strategy",
    "latency_us": "us",
    "tokens_per_s_per_user": "tokens/s",
}


def experiment(seed: int, quick: bool) -> tuple[pd.DataFrame, Figure]:
    """Run the experiment: latency of models on their smallest and larger machines."""
    machine = load_machine()
    rows = [
        _row(load_model(name), machine, widening, seed)
        for name in (QUICK_MODELS if quick else model_names())
        for widening in (WIDENINGS[:2] if quick else WIDENINGS)
    ]
    table = pd.DataFrame(rows)
    return table, _figure(table)


def _row(model: ModelSpec, machine: MachineSpec, widening: int, seed: int) -> TableRow:
    """Return the experiment's row of one case."""
    context = min(CONTEXT, model.max_context_tokens)
    task = Task(model, machine, WIDTH, context, 1)
    smallest = smallest_pipeline(task, sequences=1)
    # Twice the width with as many stages takes twice the chips.
    strategy = f"tensor={WIDTH * widening},pipeline={smallest}"
    scenario = Scenario(
        model=model.name,
        chips=WIDTH * widening * smallest,
        strategy=strategy,
        context=context,
        tokens=1,
        seed=seed,
        engine="replay",
    )
    return {
        "model": model.name,
        "family": model.family,
        "parameters_g": model.parameters / 1e9,
        "context_tokens": context,
        "machine": "smallest" if widening == 1 else f"{widening} times the chips",
        **scenario_row(scenario),
    }


def _figure(table: pd.DataFrame) -> Figure:
    """Return the experiment's figure of its table."""
    ran = table[table["feasible"]].assign(
        per_s=lambda rows: 1e6 / rows["latency_us"].astype(float)
    )
    names = list(table.sort_values("parameters_g")["model"].drop_duplicates())
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(8.5, 1.6 + 0.32 * len(names)), layout="constrained")
        axes = figure.subplots()
        place = {name: rank for rank, name in enumerate(names)}
        for marker, (machine, part) in zip(
            "osD", ran.groupby("machine", sort=False), strict=False
        ):
            ranks = part["model"].map(place)
            axes.plot(part["per_s"], ranks, marker, label=machine)
        for name, part in ran.groupby("model"):
            rank = place[str(name)]
            axes.plot(part["per_s"], [rank] * len(part), color="0.8", zorder=0)
        fewest = table.groupby("model")["chips"].min()
        axes.set_yticks(
            np.arange(len(names)), [f"{name} ({fewest[name]} chips)" for name in names]
        )
        axes.set_xscale("log")
        axes.set(xlabel="tokens/s for one user; of encoders, passes/s")
        axes.set_title(
            "More than a node wide: only the largest models gain", loc="left"
        )
        axes.legend(frameon=False)
    return figure


if __name__ == "__main__":
    run_script("model_zoo", __doc__ or "", experiment, COLUMNS)
