"""What does a static schedule pay for a router that chooses experts at run time?

gpt-oss-120b and Qwen3-30B-A3B on tensor groups of a node, with as many groups of whole
experts. A schedule computes all experts, has room for the worst choice, or for an even
share. Beside the even share are the pairs of a token and an expert that are dropped if
choices are uniform or by a Zipf law, and those of other capacity factors. Experts are
numbered from the most chosen on, so that a group has the hottest: the worst placement.
"""

import matplotlib.style
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.plots.run_figure import STYLE
from experiments.run.expert_choice import UNIFORM, choice_weights, dropped_fraction
from experiments.script.experiment_script import run_script
from experiments.tables.columns import TableRow
from experiments.tables.scenario_rows import scenario_row
from sharding.parallelism.tensor_group import Routing
from sharding.partition.expert_routing import routed
from sharding.planner.infeasibility import smallest_pipeline
from sharding.weights.task import Task
from specs.arrays import Floats
from specs.machine import load_machine
from specs.model import ModelSpec, load_model
from specs.scenario import Scenario
from specs.units import ceil_div

MODELS = ("gpt-oss-120b", "qwen3-30b-a3b")
WIDTH, CONTEXT = 8, 4096
BATCHES, QUICK_BATCHES = (1, 4, 16), (4,)
# Layers of the quick form.
QUICK_LAYERS = 2
ZIPF = "zipf:1"
# A schedule, and how tokens choose.
FORMS = {
    "all": (Routing.ALL, UNIFORM),
    "worst": (Routing.WORST, UNIFORM),
    "balanced": (Routing.BALANCED, UNIFORM),
    "balanced, Zipf": (Routing.BALANCED, ZIPF),
}
CAPACITY_PERCENT = (100, 125, 150, 200)
EXPONENTS = (0, 0.25, 0.5, 0.75, 1, 1.25, 1.5)
# Tokens together in the table of capacities.
CAPACITY_TOKENS = 16
COLUMNS = {
    "model": "model",
    "form": "form",
    "batch": "batch",
    "chips": "chips",
    "latency_us": "token us",
    "tokens_per_s_pipeline": "tokens/s",
    "dropped_percent": "dropped %",
}


def experiment(
    seed: int, quick: bool
) -> tuple[pd.DataFrame, Figure, dict[str, pd.DataFrame]]:
    """Run the experiment: latency and drops of each form, and drops by capacity."""
    names = MODELS[1:] if quick else MODELS
    table = pd.DataFrame(
        [
            _row(name, form, batch, seed, quick=quick)
            for name in names
            for batch in (QUICK_BATCHES if quick else BATCHES)
            for form in FORMS
        ]
    )
    capacity = pd.DataFrame(
        [
            _capacity_row(load_model(name), percent, exponent, seed)
            for name in names
            for percent in CAPACITY_PERCENT
            for exponent in EXPONENTS
        ]
    )
    return table, _figure(table, capacity), {"capacity": capacity}


def _row(name: str, form: str, batch: int, seed: int, *, quick: bool) -> TableRow:
    """Return the experiment's row of one form."""
    routing, choice = FORMS[form]
    settings = {"model.layers": QUICK_LAYERS} if quick else {}
    model = load_model(name)
    if quick:
        model = model.with_settings({"layers": QUICK_LAYERS})
    task = Task(
        *(model, load_machine(), WIDTH, CONTEXT, batch), expert=WIDTH, routing=routing
    )
    # All forms and batches hold the same weights.
    stages = smallest_pipeline(task._replace(batch=max(BATCHES)), sequences=1)
    scenario = Scenario(
        model=name,
        chips=WIDTH * stages,
        strategy=f"tensor={WIDTH},pipeline={stages},expert={WIDTH},routing={routing}",
        context=CONTEXT,
        batch=batch,
        tokens=1,
        seed=seed,
        engine="replay",
        settings=settings,
    )
    row = scenario_row(scenario)
    slowest_us = row.get("slowest_stage_us")
    room = routed(task).pairs
    return {
        "model": name,
        "form": form,
        "choice": choice,
        "batch": batch,
        "room_pairs": room,
        "dropped_percent": _dropped(
            model, choice_weights(choice, model.experts), batch, room, seed
        ),
        # A batch leaves the pipeline as often as its slowest stage is done.
        "tokens_per_s_pipeline": batch / slowest_us * 1e6
        if isinstance(slowest_us, float)
        else None,
        **row,
    }


def _dropped(
    model: ModelSpec, weights: Floats, tokens: int, room: int, seed: int
) -> float:
    """Return the percentage of pairs of a token and an expert that are dropped."""
    fraction = dropped_fraction(
        weights,
        chosen=model.experts_per_token,
        tokens=tokens,
        groups=WIDTH,
        room=room,
        seed=seed,
    )
    return 100 * fraction


def _capacity_row(
    model: ModelSpec, percent: int, exponent: float, seed: int
) -> TableRow:
    """Return the drops of a capacity, in percent of the even share of a group."""
    share = model.experts_per_token * CAPACITY_TOKENS * percent
    room = ceil_div(share, 100 * WIDTH)
    weights = choice_weights(f"zipf:{exponent}", model.experts)
    return {
        "model": model.name,
        "capacity_percent": percent,
        "zipf_exponent": exponent,
        "batch": CAPACITY_TOKENS,
        "room_pairs": room,
        "dropped_percent": _dropped(model, weights, CAPACITY_TOKENS, room, seed),
    }


def _figure(table: pd.DataFrame, capacity: pd.DataFrame) -> Figure:
    """Return the experiment's figure: a row of panels for each model."""
    names = list(table["model"].drop_duplicates())
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(11, 0.6 + 3.2 * len(names)), layout="constrained")
        for name, panels in zip(
            names, figure.subplots(len(names), 3, squeeze=False), strict=True
        ):
            _panels(name, list(panels), table, capacity)
    return figure


def _panels(
    name: str, panels: list[Axes], table: pd.DataFrame, capacity: pd.DataFrame
) -> None:
    """Draw latency, throughput and drops of a model."""
    rows = table[(table["model"] == name) & table["feasible"]]
    latency, rate, drops = panels
    # The same schedule serves either choice.
    for form, part in rows[rows["choice"] == UNIFORM].groupby("form", sort=False):
        latency.plot(part["batch"], part["latency_us"] / 1e3, "o-", label=form)
        rate.plot(part["batch"], part["tokens_per_s_pipeline"] / 1e3, "o-", label=form)
    latency.set_ylabel("ms for a token of each sequence")
    rate.set_ylabel("1,000 tokens/s of a full pipeline")
    for axes in (latency, rate):
        axes.set(xscale="log", xlabel="batch")
        axes.set_xticks(sorted(rows["batch"].unique()))
        axes.xaxis.set_major_formatter("{x:.0f}")
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
    latency.legend(frameon=False)
    for percent, part in capacity[capacity["model"] == name].groupby(
        "capacity_percent"
    ):
        factor = f"{int(str(percent)) / 100:g} times"
        drops.plot(part["zipf_exponent"], part["dropped_percent"], "o-", label=factor)
    drops.set(xlabel="Zipf exponent of choices", ylabel="% of pairs dropped")
    drops.legend(frameon=False, title="room: even share,")
    latency.set_title(f"{name}, {WIDTH} groups of experts", loc="left")
    drops.set_title(f"Batch of {CAPACITY_TOKENS}", loc="left")


if __name__ == "__main__":
    run_script("expert_routing", __doc__ or "", experiment, COLUMNS)
