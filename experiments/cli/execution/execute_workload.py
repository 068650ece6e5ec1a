"""Command ``groqrack execute`` of a workload."""

import json
import time
from typing import TYPE_CHECKING, Any

from experiments.cli.options import plain_console

if TYPE_CHECKING:
    from rich.table import Table

    from experiments.execution.workload_execution import WorkloadExecution
    from specs.scenario import Scenario


def execute_workload(
    scenario: "Scenario", tolerance: float, *, as_json: bool = False
) -> bool:
    """Execute a workload, print how it compares, and return whether it agrees.

    Parameters
    ----------
    scenario
        A scenario of a workload; its tokens are iterations.
    tolerance
        Largest difference that rounding explains.
    as_json
        Whether JSON is printed.
    """
    from experiments.execution.workload_execution import (
        check_workload,
        run_workload_execution,
    )
    from experiments.execution.workload_values import own_weights
    from experiments.run.workload import prepare_workload, workload_of_scenario

    check_workload(workload_of_scenario(scenario), scenario.chips)
    weights = own_weights(str(scenario.workload))
    began = time.perf_counter()
    prepared = prepare_workload(scenario)
    execution = run_workload_execution(
        prepared.plan,
        prepared.schedule.program,
        iterations=scenario.tokens,
        seed=scenario.seed,
        weights=weights,
    )
    wall_s = time.perf_counter() - began
    name = prepared.topology.name
    if as_json:
        document = execution_summary(execution, name, tolerance, wall_s)
        print(json.dumps(document, indent=2))
    else:
        table = execution_report(execution, name, tolerance, wall_s)
        plain_console().print(table)
    return execution.agrees(tolerance)


def execution_summary(
    execution: "WorkloadExecution", topology: str, tolerance: float, wall_s: float
) -> dict[str, Any]:
    """Return the JSON that ``groqrack execute`` prints of a workload.

    Parameters
    ----------
    execution, topology
        The execution, and the name of the topology.
    tolerance
        Difference that is allowed.
    wall_s
        Seconds that it took.
    """
    from experiments.run.version import VERSION

    return {
        "schema": "groqrack-fabric/execution/1",
        "workload": execution.plan.workload.name,
        "topology": topology,
        "strategy": str(execution.plan.strategy),
        "iterations": execution.iterations,
        "differences": dict(execution.differences),
        "largest_difference": execution.difference,
        "tolerance": tolerance,
        "agrees": execution.agrees(tolerance),
        "operations": execution.operations,
        "messages": execution.messages,
        "wall_s": wall_s,
        "version": VERSION,
    }


def execution_report(
    execution: "WorkloadExecution", topology: str, tolerance: float, wall_s: float
) -> "Table":
    """Return an execution as a table that a person reads in 80 columns.

    Parameters are those of `execution_summary`.
    """
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim", min_width=18)
    table.add_column()
    plan = execution.plan
    weights = "random numbers" if execution.drawn else "weights of the file"
    table.add_row("workload", f"{plan.workload.name}, {weights}")
    table.add_row("chips", f"{topology}, {plan.strategy}")
    for name, difference in execution.differences.items():
        state = "state" if name in plan.graph.states else "output"
        verdict = "agrees" if difference <= tolerance else "DIFFERS"
        table.add_row(
            f"{state} {name}",
            f"largest relative difference {difference:.1e}, of {tolerance:.0e} "
            f"allowed: {verdict}",
        )
    count = execution.iterations
    table.add_row(
        "executed",
        f"{count:,} iteration{'s' * (count > 1)}, {execution.operations:,} operations, "
        f"{execution.messages:,} messages",
    )
    table.add_row("took", f"{wall_s:.3f} s")
    return table
