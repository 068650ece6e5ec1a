"""Rows of a comparison: the latency of a scenario, or the reason of its refusal."""

import numpy as np

from experiments.run.preparation import AUTO, Prepared
from experiments.run.scenario import Run, run_scenario
from experiments.tables.columns import TableRow
from experiments.tables.run_tables import tokens_table
from specs.errors import RackError
from specs.scenario import Scenario
from specs.units import NS_PER_US, PS_PER_NS, PS_PER_S
from topologies.topology import Topology


def scenario_row(scenario: Scenario, topology: Topology | None = None) -> TableRow:
    """Return the table row of a scenario: latency and breakdown, or a refusal.

    A refused scenario has ``feasible`` False, its reason, and no numbers.

    Parameters
    ----------
    scenario
        Scenario to run.
    topology
        Topology to use instead of the one that the scenario names.
    """
    row: TableRow = {"chips": scenario.chips, "strategy": scenario.strategy}
    try:
        run = run_scenario(scenario, topology)
    except RackError as error:
        return {**row, "feasible": False, "reason": str(error)}
    return {**row, "feasible": True, **latency_columns(run), "reason": ""}


def latency_columns(run: Run) -> TableRow:
    """Return the latency columns of one run, for the tables of experiments.

    Mean latency of a token, its rate, and its cycles by cause in us.
    """
    hz = run.prepared.machine.chip.clock_hz
    latency_ps = float(tokens_table(run)["latency_ps"].mean())
    spent = run.breakdown._asdict()
    slowest = max(run.schedule.timeline.stage_cycles)
    interval_ps = latency_ps + run.turn_ps
    return {
        "latency_us": latency_ps / PS_PER_NS / NS_PER_US,
        "tokens_per_s_per_user": PS_PER_S / interval_ps
        if run.prepared.makes_tokens
        else None,
        "slowest_stage_us": slowest / hz * 1e6,
        **{f"{cause}_us": cycles / hz * 1e6 for cause, cycles in spent.items()},
        "fullest_chip_mb": run.prepared.plan.fullest_chip_bytes / 1e6,
        "violations": run.violations,
    }


def best_strategy_row(scenario: Scenario, topology: Topology | None = None) -> TableRow:
    """Return the table row of a scenario under its best strategy, or a refusal.

    Parameters
    ----------
    scenario
        Scenario to run; its strategy is ignored.
    topology
        Topology to use instead of the one that the scenario names.

    Returns
    -------
    dict
        The columns of `scenario_row`, the chips and racks that the strategy uses, and
        the gap of the search.
    """
    row: TableRow = {"chips": scenario.chips, "strategy": AUTO}
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
        **latency_columns(run),
        "reason": "",
    }
