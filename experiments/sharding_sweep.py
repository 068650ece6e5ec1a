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

import pandas as pd
from matplotlib.figure import Figure

from compiler.search.pareto_front import pareto_front
from compiler.search.search_space import splits
from compiler.search.strategy_evaluator import StrategyEvaluator
from experiments.harness.checkpoint import Checkpoint
from experiments.harness.experiment_script import Resumable, Tables, run_script
from experiments.harness.scenario_rows import best_strategy_row, scenario_row
from experiments.plan_report.pareto import front_table
from experiments.plots.sharding_sweep import sharding_sweep_figure
from experiments.tables.columns import TableRow
from sharding.transformer.task import Task
from specs.machine import load_machine
from specs.model import load_model
from specs.scenario import Scenario
from specs.units import US_PER_S
from topologies.selection import select_topology
from topologies.topology import Topology

WIDTHS = (1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 36, 48, 64, 72)


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
    title = f"{sweep.model} on up to {sweep.chips} chips"
    figure = sharding_sweep_figure(table, space, points, title)
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
        anywhere = looks.unplaced_bound(split)
        fits = [s for s in strategies if anywhere.most_sequences(s.pipeline)]
        bound = looks.placed_bound(fits[-1], head_groups=True) if fits else None
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


if __name__ == "__main__":
    run_script("sharding_sweep", __doc__ or "", experiment)
