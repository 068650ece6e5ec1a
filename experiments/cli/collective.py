"""Command ``groqrack collective``."""

import json
from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.options import (
    AsJson,
    Engine,
    Machine,
    Seed,
    Settings,
    TopologyKind,
    plain_console,
)
from experiments.cli.scenario_options import ScenarioOptions, scenario_from

_MISSED = 3
# Members unless something says how many: a node.
_DEFAULT_CHIPS = 8


def collective_command(
    kind: Annotated[
        str,
        typer.Argument(
            help="all-reduce, reduce-scatter, all-gather, broadcast, all-to-all, or "
            "point-to-point."
        ),
    ],
    payload_bytes: Annotated[
        int, typer.Option("--bytes", help="Size of the tensor on each chip.")
    ],
    chips: Annotated[
        int | None,
        typer.Option(
            help="Members, the first ones.",
            show_default=f"{_DEFAULT_CHIPS}; those of a topology named",
        ),
    ] = None,
    algorithm: Annotated[
        str,
        typer.Option(
            help="auto (the fastest), one-shot, two-step, ring, hierarchical or spread."
        ),
    ] = "auto",
    topology: TopologyKind = None,
    machine: Machine = None,
    engine: Engine = None,
    seed: Seed = None,
    settings: Settings = None,
    out: Annotated[Path | None, typer.Option(help="Folder for summary.json.")] = None,
    as_json: AsJson = False,
) -> None:
    """Schedule a collective, prove the schedule, run it, and say what it took."""
    if chips is None and topology is None:
        chips = _DEFAULT_CHIPS
    scenario = scenario_from(
        ScenarioOptions(
            chips=chips,
            topology=topology,
            machine=machine,
            engine=engine,
            seed=seed,
            settings=settings,
        )
    )
    if out is not None:
        from experiments.tables.atomic_write import check_writable

        check_writable(out)
    from experiments.run.collective import (
        collective_report,
        collective_summary,
        run_collective,
    )
    from experiments.run.scenario_inputs import machine_of, topology_of

    built = machine_of(scenario)
    run = run_collective(
        topology_of(scenario, built),
        built,
        kind,
        payload_bytes=payload_bytes,
        algorithm=algorithm,
        engine=scenario.engine,
        seed=scenario.seed,
    )
    summary = collective_summary(run)
    if as_json:
        print(json.dumps(summary, indent=2))
    else:
        plain_console().print(collective_report(run))
    if out is not None:
        from experiments.tables.atomic_write import write_bytes

        document = json.dumps(summary, indent=2) + "\n"
        path = write_bytes(out / "summary.json", document.encode())
        if not as_json:
            print(f"\nwrote {path}")
    if run.violations:
        raise typer.Exit(_MISSED)
