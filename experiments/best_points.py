"""One point of a comparison whose strategy is the planner's best, run once."""

from typing import Any

import numpy as np

from experiments.points import numbers
from experiments.preparation import AUTO, Prepared
from experiments.run import run_scenario
from specs.errors import RackError
from specs.scenario import Scenario
from topologies.topology import Topology


def best_point(scenario: Scenario, topology: Topology | None = None) -> dict[str, Any]:
    """Return a row with the best strategy of a scenario, its latency, or a refusal.

    Parameters
    ----------
    scenario
        What to run; its strategy does not matter.
    topology
        Wiring to use instead of the one that the scenario names.

    Returns
    -------
    dict
        As `experiments.points.point` says, with the chips and racks that the strategy
        takes and the gap of the search.
    """
    row: dict[str, Any] = {"chips": scenario.chips, "strategy": AUTO}
    try:
        run = run_scenario(scenario.model_copy(update={"strategy": AUTO}), topology)
    except RackError as error:
        return {**row, "feasible": False, "reason": str(error)}
    assert isinstance(run.prepared, Prepared)
    plan, searched = run.prepared.plan, run.prepared.searched
    assert searched is not None
    used = np.concatenate([stage.chips for stage in plan.stages])
    return {
        **row,
        "strategy": str(plan.strategy),
        "feasible": True,
        "chips_used": plan.strategy.chips,
        "racks_used": len(np.unique(run.prepared.topology.rack[used])),
        "gap": searched.found.gap,
        **numbers(run),
        "reason": "",
    }
