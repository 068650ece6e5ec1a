"""Which split of Llama-2-70B over 576 chips gives one user the fastest token?

Every strategy of the search space has a latency bound. Tensor widths that divide 576,
up to a rack, are simulated on all chips in one and in two dimensions, and the planner's
best beside them. A wide group computes less on each chip but communicates more. A long
pipeline has more stage transfers but serves more users. The Pareto front of latency,
throughput and chips has points known to the cycle, beside the bounds of strategies that
were not evaluated. Options name another model, machine, topology and number of chips.
"""

from dataclasses import replace
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from compiler.search.pareto_front import pareto_front
from compiler.search.search_space import splits
from compiler.search.strategy_evaluator import StrategyEvaluator
from experiments.plan_report.pareto import front_table
from experiments.plots.sharding_sweep import sharding_sweep_figure
from experiments.run.preparation import AUTO
from experiments.run.scenario_inputs import (
    machine_of,
    model_of,
    scenario_of,
    topology_of,
)
from experiments.script.checkpoint import Checkpoint
from experiments.script.experiment_script import (
    Choosable,
    Subject,
    Tables,
    run_script,
)
from experiments.tables.columns import TableRow
from experiments.tables.scenario_rows import best_strategy_row, scenario_row
from sharding.weights.task import Task
from specs.errors import SpecError
from specs.scenario import Scenario
from specs.units import US_PER_S
from topologies.topology import Topology

WIDTHS = (1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 36, 48, 64, 72)


class _Sweep(NamedTuple):
    """Space of a sweep.

    Attributes
    ----------
    model, chips
        Model, and chips that it runs on.
    widths
        Tensor widths to simulate.
    points
        Points of the front to evaluate to the cycle.
    """

    model: str
    chips: int
    widths: tuple[int, ...]
    points: int


FULL = _Sweep("llama-2-70b", 576, WIDTHS, 80)
QUICK = _Sweep("gpt2", 16, (4, 8), 12)


@Choosable
def experiment(
    seed: int, quick: bool, checkpoint: Checkpoint, subject: Subject
) -> tuple[pd.DataFrame, Figure, Tables]:
    """Run the experiment: simulated strategies, the figure, the space and its front."""
    sweep = _about(QUICK if quick else FULL, subject)
    content = {**subject.scenario, "model": sweep.model, "chips": sweep.chips}
    content |= {"tokens": 1, "seed": seed, "engine": "replay", "strategy": AUTO}
    scenario = scenario_of(content, "sharding_sweep")
    model = model_of(scenario)
    context = min(scenario.context, model.max_context_tokens)
    scenario = scenario.model_copy(update={"context": context})
    rows: list[TableRow] = [
        {"split": "auto", **checkpoint.result(best_strategy_row, scenario)}
    ]
    for width in sweep.widths:
        stages = sweep.chips // width
        # Alternating groups are in the space, but not simulated.
        for split in (s for s in splits(model, width) if not s.attention):
            strategy = str(replace(split, pipeline=stages))
            fixed = scenario.model_copy(update={"strategy": strategy})
            rows.append({"split": "given", **checkpoint.result(scenario_row, fixed)})
    table = pd.DataFrame(rows)
    # In a full pipeline the slowest stage limits the rate of tokens.
    table["tokens_per_s_pipeline_bound"] = US_PER_S / table["slowest_stage_us"]
    space = pd.DataFrame(checkpoint.result(_space, scenario)["strategies"])
    front = checkpoint.result(_front, scenario, sweep.points)
    # The share by which the true front may be better.
    points = pd.DataFrame(front["points"]).assign(gap=front["gap"])
    title = f"{sweep.model} on up to {sweep.chips} chips"
    figure = sharding_sweep_figure(table, space, points, title)
    return table, figure, {"space": space, "points": points}


def _about(sweep: _Sweep, subject: Subject) -> _Sweep:
    """Return the space of the experiment for a model and chips that were asked for."""
    if len(subject.chips) > 1:
        given = ",".join(map(str, subject.chips))
        raise SpecError(
            f"--chips {given}: strategies are compared on one number of chips; name one"
        )
    chips = subject.chips[0] if subject.chips else sweep.chips
    widths = tuple(width for width in sweep.widths if width <= chips)
    asked = subject.scenario.get("model", sweep.model)
    return sweep._replace(model=asked, chips=chips, widths=widths)


def _task_on_topology(scenario: Scenario) -> tuple[Task, Topology]:
    """Return the experiment's task and topology of a scenario."""
    model, machine = model_of(scenario), machine_of(scenario)
    task = Task(model, machine, 1, scenario.context, scenario.batch)
    return task, topology_of(scenario, machine)


def _front(scenario: Scenario, most_compiled: int) -> TableRow:
    """Return the experiment's points of the Pareto front by state, and the gap."""
    task, topology = _task_on_topology(scenario)
    front = pareto_front(task, topology, most_compiled=most_compiled)
    points = front_table(front, hz=task.machine.chip.clock_hz, batch=task.batch)
    return {"points": points.to_dict("records"), "gap": front.gap}


def _space(scenario: Scenario) -> TableRow:
    """Return the experiment's latency bound of each strategy that may fit."""
    task, topology = _task_on_topology(scenario)
    evaluator = StrategyEvaluator(task, topology)
    hz = task.machine.chip.clock_hz
    rows = []
    for split in evaluator.splits:
        strategies = evaluator.pipelines(split)
        anywhere = evaluator.unplaced_bound(split)
        fits = [s for s in strategies if anywhere.most_sequences(s.pipeline)]
        bound = evaluator.placed_bound(fits[-1], head_groups=True) if fits else None
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
