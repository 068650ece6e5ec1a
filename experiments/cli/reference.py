"""Commands that show what is known: models, topologies, published figures."""

import json
from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.options import (
    AsJson,
    Chips,
    Machine,
    Settings,
    TopologyKind,
    plain_console,
)
from experiments.cli.scenario_options import ScenarioOptions, scenario_from

_MISSED = 3


def models_command(as_json: AsJson = False) -> None:
    """List the shipped models."""
    from specs.model import load_model, model_names

    shipped = [load_model(name) for name in model_names()]
    if as_json:
        rows = [{**m.model_dump(), "parameters": m.parameters} for m in shipped]
        print(json.dumps(rows, indent=2))
        return
    print(f"{'name':<16} {'family':<8} {'layers':>6} {'hidden':>7} {'parameters':>16}")
    for m in shipped:
        print(
            f"{m.name:<16} {m.family:<8} {m.layers:>6} {m.hidden_size:>7} "
            f"{m.parameters:>16,}"
        )


def topology_command(
    chips: Chips = None,
    topology: TopologyKind = None,
    machine: Machine = None,
    settings: Settings = None,
    out: Annotated[
        Path | None, typer.Option(help="File for the topology: .csv, .graphml or .png.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Describe a topology: links, degrees, distances."""
    from experiments.report.topology_report import (
        topology_facts,
        topology_report,
        write_topology,
    )
    from experiments.run.scenario_inputs import machine_of, topology_of

    scenario = scenario_from(
        ScenarioOptions(
            chips=chips, topology=topology, machine=machine, settings=settings
        )
    )
    hardware = machine_of(scenario)
    built = topology_of(scenario, hardware)
    if out is not None:
        write_topology(built, out)
    facts = topology_facts(built, hardware.line)
    if as_json:
        print(json.dumps(facts, indent=2))
    else:
        plain_console().print(topology_report(facts))


def validate_command(as_json: AsJson = False) -> None:
    """Compare with published figures; exit code 3 for an unknown disagreement."""
    from experiments.validation import all_rows
    from experiments.validation.comparison import missed
    from experiments.validation.report import REPORT_WIDTH, validation_report

    rows = all_rows.validation_rows()
    if as_json:
        print(json.dumps([row.to_dict() for row in rows], indent=2))
    else:
        console = plain_console()
        # A narrower terminal breaks lines, which is better than cells cut short.
        console.width = max(console.width, REPORT_WIDTH)
        console.print(validation_report(rows))
    if missed(rows):
        raise typer.Exit(_MISSED)
