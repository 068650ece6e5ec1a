"""How does a token's latency scale from a node to 145 racks?

Models from 0.1 to 405 billion parameters on 8 to 10,440 chips, each under its best
strategy among common tensor widths. Twice the chips would at best halve the latency of
a token. But the latency of links stays, and soon after a model fits, a wider group adds
as much time on links as it saves. The best strategy then leaves chips idle. Options
name another model, machine, topology and other numbers of chips.
"""

import matplotlib.style
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from compiler.search.branch_and_bound import best_strategy
from compiler.search.objective import Objective
from experiments.plots.run_figure import STYLE
from experiments.run.scenario_inputs import (
    machine_of,
    model_of,
    scenario_of,
    topology_of,
)
from experiments.script.checkpoint import Checkpoint
from experiments.script.experiment_script import Choosable, Subject, run_script
from experiments.tables.columns import TableRow
from experiments.tables.scenario_rows import scenario_row
from sharding.weights.task import Task
from specs.errors import PlanError, RackError
from specs.scenario import Scenario

# Doublings of a node; from two racks on, machines are whole racks.
CHIPS = (8, 16, 32, 64, 144, 288, 576, 1152, 2304, 4608, 10440)
MODELS = ("gpt2", "llama-2-7b", "llama-2-70b", "llama-3.1-405b")
# A search of all widths of a machine of 10,440 chips would take hours.
WIDTHS = (1, 2, 4, 8, 16, 24, 32, 48, 64, 72, 144, 288)
# The longest context that all models have.
CONTEXT = 1024
QUICK_CHIPS = (8, 16, 64)
QUICK_MODELS = ("gpt2", "llama-2-7b")
QUICK_WIDTHS = (1, 4, 8)
COLUMNS = {
    "model": "model",
    "chips": "chips",
    "chips_used": "used",
    "strategy": "strategy",
    "latency_us": "us",
    "compute_us": "compute us",
    "link_us": "link us",
    "efficiency": "efficiency",
}


@Choosable
def experiment(
    seed: int, quick: bool, checkpoint: Checkpoint, subject: Subject
) -> tuple[pd.DataFrame, Figure]:
    """Run the experiment: latency of each model at each chip count, and its figure."""
    rows = []
    widths = QUICK_WIDTHS if quick else WIDTHS
    common = {"tokens": 1, "seed": seed, "engine": "replay", **subject.scenario}
    own = QUICK_MODELS if quick else MODELS
    asked = subject.scenario.get("model")
    for model in own if asked is None else (asked,):
        smallest: TableRow | None = None
        for chips in subject.chips or (QUICK_CHIPS if quick else CHIPS):
            content = {**common, "model": model, "chips": chips, "context": CONTEXT}
            scenario = scenario_of(content, "scaling_law")
            row = checkpoint.result(_row, scenario, widths)
            if row["feasible"]:
                smallest = smallest or row
                speedup = smallest["latency_us"] / row["latency_us"]
                row["efficiency"] = speedup * smallest["chips"] / chips
            rows.append(row)
    if not any(row["feasible"] for row in rows):
        raise PlanError(
            f"no number of chips holds {rows[0]['model']}; name others with --chips: "
            f"{rows[-1]['reason']}"
        )
    # Nullable integers, since refused rows have none.
    table = pd.DataFrame(rows).astype({"chips_used": "Int64"})
    return table, _figure(table)


def _row(scenario: Scenario, widths: tuple[int, ...]) -> TableRow:
    """Return the experiment's row of the best strategy of some widths, or a refusal."""
    row: TableRow = {"model": scenario.model}
    chips = scenario.chips
    machine, model = machine_of(scenario), model_of(scenario)
    try:
        topology = topology_of(scenario, machine)
        result = best_strategy(
            Task(model, machine, 1, scenario.context, 1),
            topology,
            objective=Objective.LATENCY,
            sequences=1,
            widths=tuple(width for width in widths if width <= chips),
        )
    except RackError as error:
        refusal = {"feasible": False, "reason": str(error)}
        return {**row, "chips": chips, "strategy": "auto", **refusal}
    strategy = str(result.compiled[0].strategy)
    scenario = scenario.model_copy(update={"strategy": strategy})
    refused = {strategy.tensor: why for strategy, why in result.refused}
    return {
        **row,
        **scenario_row(scenario, topology),
        "chips_used": result.compiled[0].strategy.chips,
        "gap": result.gap,
        "widths_refused": "; ".join(f"{w}: {why}" for w, why in refused.items()),
    }


def _figure(table: pd.DataFrame) -> Figure:
    """Return the experiment's figure of its table."""
    refused, table = table[~table["feasible"]], table[table["feasible"]]
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(11, 4.8), layout="constrained")
        left, right = figure.subplots(1, 2)
        colors: dict[object, str] = {}
        for marker, (model, part) in zip(
            "os^D", table.groupby("model", sort=False), strict=False
        ):
            (line,) = left.plot(
                part["chips"], part["latency_us"], f"-{marker}", label=str(model)
            )
            color = colors[model] = str(line.get_color())
            first = part.iloc[0]
            ideal = first["latency_us"] * first["chips"] / part["chips"]
            left.plot(part["chips"], ideal, ":", color=color, lw=1)
            link = part["link_us"] / part["latency_us"]
            compute = part["compute_us"] / part["latency_us"]
            right.plot(part["chips"], compute, f"-{marker}", color=color)
            right.plot(part["chips"], link, f"--{marker}", color=color, mfc="none")
        left.plot([], [], "k:", lw=1, label="twice the chips, half the time")
        left.set_yscale("log", base=2)
        low, high = table["latency_us"].min(), table["latency_us"].max()
        left.set_ylim(low / 2, high * 1.5)
        _refused(left, refused, colors, at=low / 2)
        ticks = [t for t in (125, 250, 500, 1000, 2000, 4000, 8000) if t < 1.5 * high]
        left.set_yticks(ticks, [f"{tick:,}" for tick in ticks])
        left.set(ylabel="latency of a token (us)")
        left.set_title("The best split of what chips there are, one user", loc="left")
        left.legend(frameon=False, fontsize="small")
        right.plot([], [], "k-", label="compute")
        right.plot([], [], "k--", label="link")
        right.set(ylabel="share of the token", ylim=(0, 1))
        right.set_title("What the token of that split is made of", loc="left")
        right.legend(frameon=False)
        for axes in (left, right):
            _chips_axis(axes, sorted(set(table["chips"])))
    return figure


def _refused(
    axes: Axes, refused: pd.DataFrame, colors: dict[object, str], *, at: float
) -> None:
    """Mark the experiment's machines that do not hold a model, in its colour."""
    for rank, (model, part) in enumerate(refused.groupby("model", sort=False)):
        # Models beside each other, at the foot of the axis.
        places = part["chips"] * (1 + 0.06 * rank)
        color = colors.get(model, "0.35")
        axes.plot(places, [at] * len(part), "x", color=color, clip_on=False)
    if len(refused):
        axes.plot([], [], "x", color="0.35", label="does not fit")


def _chips_axis(axes: Axes, counts: list[int]) -> None:
    """Label the experiment's logarithmic axis of chips."""
    axes.set_xscale("log", base=2)
    axes.set_xticks(
        counts, [f"{count:,}" for count in counts], rotation=45, fontsize="small"
    )
    axes.minorticks_off()
    axes.set_xlabel("chips")


if __name__ == "__main__":
    run_script("scaling_law", __doc__ or "", experiment, COLUMNS)
