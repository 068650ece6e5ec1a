"""Which way of splitting Llama-2-70B over 576 chips gives one user the fastest token?

Every strategy that the planner looks at, by what it takes at least; widths that divide
576 up to a rack simulated on all chips, in rows and in a grid, and the planner's best
beside them. A
wide group computes less on each chip but talks more; a long pipeline hands over more
often, but lets more users in. What cannot be beaten in latency, throughput and chips
at once is the Pareto front, of points known to the cycle, beside the bounds of those
that were not looked at.
"""

from dataclasses import replace
from typing import NamedTuple

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from compiler.search.pareto_front import pareto_front
from compiler.search.search_space import splits
from compiler.search.strategy_evaluator import StrategyEvaluator
from experiments.harness.checkpoint import Checkpoint
from experiments.harness.experiment_script import Resumable, Tables, run_script
from experiments.harness.scenario_rows import best_strategy_row, scenario_row
from experiments.plan_report.pareto import STATES, front_table
from experiments.plots.run_figure import STYLE
from experiments.tables.columns import TableRow
from sharding.transformer.task import Task
from specs.machine import load_machine
from specs.model import load_model
from specs.scenario import Scenario
from specs.units import US_PER_S
from topologies.selection import select_topology
from topologies.topology import Topology

WIDTHS = (1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 36, 48, 64, 72)
CAUSES = ("compute", "link", "guard", "alignment", "deskew", "fec", "wait")
# Cells of the heat map each way; widths and pipelines are drawn as logarithms.
_CELLS = 36


class _Sweep(NamedTuple):
    """What is swept.

    Attributes
    ----------
    model, chips
        Which model on how many chips.
    widths
        Tensor widths that are simulated.
    points
        Points of the front to look at to the cycle.
    """

    model: str
    chips: int
    widths: tuple[int, ...]
    points: int


FULL = _Sweep("llama-2-70b", 576, WIDTHS, 80)
QUICK = _Sweep("gpt2", 16, (4, 8), 12)


@Resumable
def experiment(
    seed: int, quick: bool, checkpoint: Checkpoint
) -> tuple[pd.DataFrame, Figure, Tables]:
    """Return what was simulated, the picture, and the whole space with its front."""
    sweep = QUICK if quick else FULL
    scenario = Scenario(
        model=sweep.model, chips=sweep.chips, tokens=1, seed=seed, engine="replay"
    )
    model = load_model(sweep.model)
    context = min(scenario.context, model.max_context_tokens)
    scenario = scenario.model_copy(update={"context": context})
    rows: list[TableRow] = [
        {"split": "auto", **checkpoint.result(best_strategy_row, scenario)}
    ]
    for width in sweep.widths:
        stages = sweep.chips // width
        # Attention in turns is in the space; rows and grids are simulated.
        for split in (s for s in splits(model, width) if not s.attention):
            strategy = str(replace(split, pipeline=stages))
            fixed = scenario.model_copy(update={"strategy": strategy})
            rows.append({"split": "given", **checkpoint.result(scenario_row, fixed)})
    table = pd.DataFrame(rows)
    # Once the pipeline is full, the slowest stage lets one token out at a time.
    table["tokens_per_s_pipeline_bound"] = US_PER_S / table["slowest_stage_us"]
    space = pd.DataFrame(checkpoint.result(_space, scenario)["strategies"])
    front = checkpoint.result(_front, scenario, sweep.points)
    # By what part the front may be worse than the one there is.
    points = pd.DataFrame(front["points"]).assign(gap=front["gap"])
    figure = _figure(table, space, points, sweep)
    return table, figure, {"space": space, "points": points}


def _job(scenario: Scenario) -> tuple[Task, Topology]:
    """Return what is to be split, and on which wiring."""
    model, machine = load_model(scenario.model), load_machine()
    task = Task(model, machine, 1, scenario.context, scenario.batch)
    return task, select_topology(scenario.chips)


def _front(scenario: Scenario, most_compiled: int) -> TableRow:
    """Return the points of the front, those beaten and those left, and its gap."""
    task, topology = _job(scenario)
    front = pareto_front(task, topology, most_compiled=most_compiled)
    points = front_table(front, hz=task.machine.chip.clock_hz, batch=task.batch)
    return {"points": points.to_dict("records"), "gap": front.gap}


def _space(scenario: Scenario) -> TableRow:
    """Return what each strategy takes at least, where memory may hold it."""
    task, topology = _job(scenario)
    looks = StrategyEvaluator(task, topology)
    hz = task.machine.chip.clock_hz
    rows = []
    for split in looks.splits:
        strategies = looks.pipelines(split)
        anywhere = looks.anywhere(split)
        fits = [s for s in strategies if anywhere.most_sequences(s.pipeline)]
        bound = looks.placed(fits[-1], teams=True) if fits else None
        for strategy in fits if bound is not None else []:
            assert bound is not None
            cycles = bound.token_cycles(strategy.pipeline)
            rows.append(
                {
                    "strategy": str(strategy),
                    "tensor": strategy.tensor,
                    "pipeline": strategy.pipeline,
                    "attention": strategy.attention,
                    "layout": str(strategy.layout),
                    "chips": strategy.chips,
                    "most_sequences": anywhere.most_sequences(strategy.pipeline),
                    "latency_bound_us": cycles / hz * US_PER_S,
                }
            )
    return {"strategies": rows}


def _figure(
    table: pd.DataFrame, space: pd.DataFrame, points: pd.DataFrame, sweep: _Sweep
) -> Figure:
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(15, 4.8), layout="constrained")
        heat, spent, pareto = figure.subplots(1, 3, width_ratios=[1.15, 1, 1])
        _heat_map(heat, space, table)
        _spent(spent, table)
        _pareto(pareto, points)
        figure.suptitle(f"{sweep.model} on up to {sweep.chips} chips")
    return figure


def _heat_map(axes: Axes, space: pd.DataFrame, table: pd.DataFrame) -> None:
    """Draw the least latency of all strategies that fall into a cell."""
    x, y = np.log2(space["tensor"]), np.log2(space["pipeline"])
    edges = [np.linspace(-0.1, v.max() + 0.1, _CELLS + 1) for v in (x, y)]
    column = np.digitize(x, edges[0]) - 1
    row = np.digitize(y, edges[1]) - 1
    cells = np.full((_CELLS, _CELLS), np.inf)
    np.minimum.at(cells, (row, column), space["latency_bound_us"])
    shown = np.ma.masked_invalid(np.where(np.isinf(cells), np.nan, cells))
    mesh = axes.pcolormesh(
        2 ** edges[0], 2 ** edges[1], shown, norm=LogNorm(), cmap="viridis_r"
    )
    label = "latency at least (us)"
    axes.figure.colorbar(mesh, ax=axes, label=label)
    ran = table[table["feasible"]]
    grid = ran["strategy"].str.contains("layout=2d")
    given = ran["split"] == "given"
    for label, chosen, marker, size in (
        ("simulated in rows", given & ~grid, "o", 22),
        ("simulated in a grid", given & grid, "+", 60),
        ("the planner's best", ~given, "*", 150),
    ):
        part = ran[chosen]
        if part.empty:
            continue
        shapes = (
            part["strategy"].str.extract(r"tensor=(\d+),pipeline=(\d+)").astype(int)
        )
        axes.scatter(
            shapes[0],
            shapes[1],
            s=size,
            marker=marker,
            color="black" if marker == "+" else "white",
            edgecolor=None if marker == "+" else "black",
            label=label,
            zorder=3,
        )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set(xlabel="tensor", ylabel="pipeline")
    axes.set_title(f"All {len(space):,} that memory may hold", loc="left")
    axes.legend(frameon=True, fontsize="small", loc="upper right")


def _spent(axes: Axes, table: pd.DataFrame) -> None:
    """Draw where a token's time goes in what was simulated."""
    ran = table[table["feasible"]]
    labels = [
        str(strategy)
        .replace("tensor=", "")
        .replace(",pipeline=", "x")
        .replace(",layout=", " ")
        + (" auto" if split == "auto" else "")
        for split, strategy in zip(ran["split"], ran["strategy"], strict=True)
    ]
    bottom = pd.Series(0.0, index=ran.index)
    for cause in CAUSES:
        axes.bar(labels, ran[f"{cause}_us"], bottom=bottom, label=cause)
        bottom += ran[f"{cause}_us"]
    axes.tick_params(axis="x", rotation=90, labelsize=7)
    axes.set(
        xlabel="tensor x pipeline",
        ylabel="latency of a token (us)",
        ylim=(0, 1.35 * bottom.max()),
    )
    axes.set_title("One user: where a token's time goes", loc="left")
    axes.legend(frameon=False, ncols=3, fontsize="small", loc="upper center")


def _pareto(axes: Axes, points: pd.DataFrame) -> None:
    """Draw latency against throughput, chips as colour, and how far it may move."""
    by_state = {state: points[points["state"] == state] for state in STATES}
    front, left = by_state["front"], by_state["bound"]
    for state, label, color in (
        ("bound", "not looked at: at best", "#a6d8e8"),
        ("beaten", "known to the cycle, but beaten", "0.7"),
    ):
        part = by_state[state]
        if not part.empty:
            axes.scatter(
                part["latency_us"],
                part["tokens_per_s_all_users"],
                s=4 if state == "bound" else 10,
                color=color,
                label=label,
            )
    marks = axes.scatter(
        front["latency_us"],
        front["tokens_per_s_all_users"],
        c=front["chips"],
        cmap="plasma",
        s=34,
        zorder=3,
        label="Pareto front",
    )
    axes.figure.colorbar(marks, ax=axes, label="chips")
    axes.set(
        xlabel="latency of a token (us)",
        ylabel="tokens/s of all users",
        xlim=(0, 1.3 * front["latency_us"].max()),
        yscale="log",
    )
    # Room for the legend, and for what is said of the gap.
    low, high = points["tokens_per_s_all_users"].agg(["min", "max"])
    span = high / low
    axes.set_ylim(low / span**0.2, high * span**0.35)
    axes.set_title("Latency, throughput, chips", loc="left")
    if not left.empty:
        axes.text(
            0.98,
            0.02,
            f"{len(left):,} not looked at: each has a point on the front\n"
            f"no more than {points['gap'].iloc[0]:.0%} worse in any respect",
            transform=axes.transAxes,
            ha="right",
            size="small",
            color="0.3",
        )
    axes.legend(frameon=False, fontsize="small", loc="upper right")


if __name__ == "__main__":
    run_script("sharding_sweep", __doc__ or "", experiment)
