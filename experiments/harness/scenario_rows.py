"""One point of a comparison: a scenario run, or the reason why it cannot be."""

from typing import Any

import numpy as np

from experiments.run.preparation import AUTO, Prepared
from experiments.run.scenario import Run, run_scenario
from experiments.tables.run_tables import tokens_table
from specs.errors import RackError
from specs.scenario import Scenario
from specs.units import NS_PER_US, PS_PER_NS, PS_PER_S
from topologies.topology import Topology


def point(scenario: Scenario, topology: Topology | None = None) -> dict[str, Any]:
    """Return a row with the strategy, per-token latency, breakdown, or a refusal.

    A refused scenario has ``feasible`` False and its reason, and no numbers.

    Parameters
    ----------
    scenario
        What to run.
    topology
        Wiring to use instead of the one that the scenario names.
    """
    row: dict[str, Any] = {"chips": scenario.chips, "strategy": scenario.strategy}
    try:
        run = run_scenario(scenario, topology)
    except RackError as error:
        return {**row, "feasible": False, "reason": str(error)}
    return {**row, "feasible": True, **numbers(run), "reason": ""}


def numbers(run: Run) -> dict[str, Any]:
    """Return the latency of a token, its rates and where its cycles went."""
    hz = run.prepared.machine.chip.clock_hz
    latency_ps = float(tokens_table(run)["latency_ps"].mean())
    spent = run.breakdown._asdict()
    slowest = max(run.schedule.timeline.stage_cycles)
    every_ps = latency_ps + run.turn_ps
    return {
        "latency_us": latency_ps / PS_PER_NS / NS_PER_US,
        "tokens_per_s_per_user": PS_PER_S / every_ps
        if run.prepared.makes_tokens
        else None,
        "slowest_stage_us": slowest / hz * 1e6,
        **{f"{cause}_us": cycles / hz * 1e6 for cause, cycles in spent.items()},
        "fullest_chip_mb": run.prepared.plan.fullest_chip_bytes / 1e6,
        "violations": run.violations,
    }


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
        As `experiments.harness.scenario_rows.point` says, with the chips and racks that
        the strategy takes and the gap of the search.
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
