"""Command ``groqrack workload``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli.options import AsJson, Batch, Machine, Settings
from experiments.cli.scenario_options import ScenarioOptions, scenario_from

if TYPE_CHECKING:
    from rich.table import Table

    from specs.machine import FormatsSpec
    from specs.workload import Workload

_SUFFIX = ".json"


def workload_command(
    name: Annotated[
        str,
        typer.Argument(
            help="gemm:MxKxN, lstm:HIDDEN, a shipped name or a file; or a model."
        ),
    ],
    context: Annotated[
        int, typer.Option(help="Of a model: positions in the KV cache.")
    ] = 4096,
    batch: Batch = None,
    machine: Machine = None,
    settings: Settings = None,
    out: Annotated[Path | None, typer.Option(help="File for the graph: .json.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the operators of a workload or of a model, or write them to a file."""
    from experiments.run.scenario_inputs import machine_of, model_of
    from sharding.graph.transformer_graph import workload_of
    from specs.errors import OutputError
    from specs.model import model_names
    from specs.workload import load_workload

    if out is not None and out.suffix != _SUFFIX:
        raise OutputError(f"--out {out}: a graph is written as {_SUFFIX}")
    is_model = name in model_names() or Path(name).name == "config.json"
    scenario = scenario_from(
        ScenarioOptions(
            model=name if is_model else None,
            workload=None if is_model else name,
            batch=batch,
            machine=machine,
            settings=settings,
        )
    )
    formats = machine_of(scenario).formats
    if is_model:
        model = model_of(scenario)
        graph = workload_of(model, formats, context=context, batch=scenario.batch)
    else:
        graph = load_workload(name)
        if scenario.batch > 1:
            graph = graph.batched(scenario.batch)
    if out is not None:
        from experiments.tables.atomic_write import check_writable, write_bytes

        check_writable(out.parent)
        document = json.dumps(graph.content(), indent=1) + "\n"
        print(f"wrote {write_bytes(out, document.encode())}")
    elif as_json:
        print(json.dumps(graph.content(), indent=1))
    else:
        from rich.console import Console

        Console(highlight=False).print(operators_table(graph, formats))


def operators_table(graph: "Workload", formats: "FormatsSpec") -> "Table":
    """Return what the command ``workload`` prints: each operator's work, the sum."""
    from rich.table import Table

    from sharding.graph.workload_cost import operator_work, workload_work

    table = Table(box=None, pad_edge=False, show_footer=True)
    total = workload_work(graph, formats)
    table.add_column("operator", footer=f"all {len(graph.operators)}")
    table.add_column("kind")
    for title, amount, unit in (
        ("G MACs", total.macs, 1e9),
        ("MB read", total.read_bytes, 1e6),
        ("MB written", total.written_bytes, 1e6),
    ):
        table.add_column(title, footer=f"{amount / unit:,.3f}", justify="right")
    for operator in graph.operators:
        work = operator_work(graph, formats, operator)
        table.add_row(
            operator.name,
            operator.kind,
            f"{work.macs / 1e9:,.3f}",
            f"{work.read_bytes / 1e6:,.3f}",
            f"{work.written_bytes / 1e6:,.3f}",
        )
    return table
