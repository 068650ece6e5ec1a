"""Option ``--collective`` of the command ``groqrack execute``."""

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from experiments.cli.options import plain_console
from experiments.cli.scenario_options import ScenarioOptions, scenario_from

if TYPE_CHECKING:
    from rich.table import Table

    from experiments.execution.collective_execution import CollectiveExecution

_DEFAULT_CHIPS = 8
# What a collective has of a scenario.
_TAKEN = ("scenario_file", "machine", "chips", "topology", "seed", "settings")


def execute_collective_command(
    options: ScenarioOptions,
    kind: str,
    *,
    payload_bytes: int | None,
    algorithm: str,
    tolerance: float,
    as_json: bool,
) -> bool:
    """Compute a collective on the chips, print it, and return whether it agrees.

    Raises
    ------
    SpecError
        If its size is not given, or an option that is of a model.
    """
    from experiments.execution.collective_execution import execute_collective
    from experiments.run.scenario_inputs import machine_of, topology_of
    from specs.errors import SpecError

    if payload_bytes is None:
        raise SpecError(f"{kind} of how many bytes? Use --bytes, as in --bytes 16384")
    for name in options.given:
        if name not in _TAKEN:
            option = name.replace("_", "-")
            raise SpecError(f"a collective has no --{option}; leave it out")
    if options.chips is None and options.topology is None:
        options = replace(options, chips=_DEFAULT_CHIPS)
    scenario = scenario_from(options)
    began = time.perf_counter()
    machine = machine_of(scenario)
    execution = execute_collective(
        topology_of(scenario, machine),
        machine,
        kind,
        payload_bytes=payload_bytes,
        algorithm=algorithm,
        seed=scenario.seed,
    )
    wall_s = time.perf_counter() - began
    summary = collective_execution_summary(execution, tolerance, wall_s)
    if as_json:
        print(json.dumps(summary, indent=2))
    else:
        plain_console().print(collective_execution_report(execution, summary))
    return execution.agrees(tolerance)


def collective_execution_summary(
    execution: "CollectiveExecution", tolerance: float, wall_s: float
) -> dict[str, Any]:
    """Return the JSON of an executed collective.

    Parameters
    ----------
    execution
        The execution.
    tolerance
        Difference that is allowed.
    wall_s
        Seconds that it took.
    """
    from experiments.run.version import VERSION

    schedule = execution.schedule
    flow = schedule.program.dataflow
    return {
        "schema": "groqrack-fabric/collective-execution/1",
        "collective": schedule.kind.value,
        "algorithm": schedule.algorithm.value,
        "form": schedule.form,
        "topology": execution.topology.name,
        "chips": len(schedule.chips),
        "payload_bytes": schedule.payload_bytes,
        "largest_difference": execution.difference,
        "tolerance": tolerance,
        "agrees": execution.agrees(tolerance),
        "operations": len(flow.operations) if flow else 0,
        "messages": len(flow.messages) if flow else 0,
        "wall_s": wall_s,
        "version": VERSION,
    }


def collective_execution_report(
    execution: "CollectiveExecution", summary: dict[str, Any]
) -> "Table":
    """Return an executed collective as a table that a person reads in 80 columns."""
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim", min_width=18)
    table.add_column()
    schedule = execution.schedule
    rows = {
        "collective": f"{schedule.kind} of {schedule.payload_bytes:,} drawn numbers "
        f"among {len(schedule.chips)} chips ({execution.topology.name})",
        "algorithm": f"{schedule.form} {schedule.algorithm}".strip(),
        "results": f"largest relative difference {execution.difference:.1e}, of "
        f"{summary['tolerance']:.0e} allowed: "
        f"{'agrees' if summary['agrees'] else 'DIFFERS'}",
        "executed": f"{summary['operations']:,} operations, "
        f"{summary['messages']:,} messages",
        "took": f"{summary['wall_s']:.3f} s",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table
