"""Commands that show what is known: models, topologies, published figures."""

import json
from pathlib import Path
from textwrap import fill
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
_WIDTH = 80


def models_command(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="config.json files, or names."),
    ] = None,
    machine: Machine = None,
    as_json: AsJson = False,
) -> None:
    """Show the sizes of models, and the fewest chips that hold each.

    Without files these are the shipped models, and below them the families whose
    config.json can be read.
    """
    from experiments.report.encoder_decoder_sizes import encoder_decoder_sizes
    from experiments.report.model_sizes import CONTEXT_TOKENS, model_sizes, sizes_table
    from specs.encoder_decoders.family import encoder_decoder_families
    from specs.encoder_decoders.reading import (
        encoder_decoder_names,
        load_encoder_decoder,
    )
    from specs.families.catalogue import family_names
    from specs.machine import load_machine
    from specs.model import load_model, model_names

    hardware = load_machine(machine or "groqrack")
    sizes = []
    for name in files or sorted((*model_names(), *encoder_decoder_names())):
        both = load_encoder_decoder(name)
        sizes.append(
            encoder_decoder_sizes(both, hardware)
            if both is not None
            else model_sizes(load_model(name), hardware)
        )
    if as_json:
        print(json.dumps([each.document() for each in sizes], indent=2))
        return
    print("\n".join(sizes_table(sizes)))
    if files:
        for each in sizes:
            for remark in each.model.remarks:
                print(f"{each.model.name}: {remark}")
        return
    print()
    formats = hardware.formats
    notes = (
        f"KV in {formats.kv_cache}; chips hold weights in {formats.weights} and "
        f"{CONTEXT_TOKENS:,} positions, or as many as a model has.",
        f"families: {', '.join(family_names())}",
        f"encoder-decoders, each pass a workload: "
        f"{', '.join(encoder_decoder_families())}",
    )
    for note in notes:
        print(fill(note, _WIDTH, break_on_hyphens=False))


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
