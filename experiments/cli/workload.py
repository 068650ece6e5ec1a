"""Command ``groqrack workload``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.cli.options import AsJson, Batch, Machine, Settings, plain_console
from experiments.cli.scenario_options import ScenarioOptions, scenario_from

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.table import Table

    from specs.machine_formats import FormatsSpec
    from specs.model_formats import ModelFormats
    from specs.weight_formats import WeightFormat
    from workloads.graphs.workload import Workload
    from workloads.operator_graph import Block, OperatorGraph

_SUFFIX = ".json"
_CONTEXT = 4096


def workload_command(
    name: Annotated[
        str,
        typer.Argument(
            help="gemm:MxKxN, lstm:HIDDEN, a shipped name or a file; or a model."
        ),
    ],
    context: Annotated[
        int | None,
        typer.Option(
            help="Of a model: positions in the KV cache. Default: 4,096, or as many as "
            "the model has."
        ),
    ] = None,
    batch: Batch = None,
    machine: Machine = None,
    settings: Settings = None,
    out: Annotated[Path | None, typer.Option(help="File for the graph: .json.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the operators of a workload or of a model, or write them to a file."""
    from experiments.run.scenario_inputs import machine_of, model_of
    from specs.errors import OutputError
    from specs.model import model_names
    from specs.shipped_files import shipped_as
    from workloads.graph_files import graph_content, is_graph_file
    from workloads.graphs.workload import load_workload
    from workloads.model_graph import graph_of

    if out is not None and out.suffix != _SUFFIX:
        raise OutputError(f"--out {out}: a graph is written as {_SUFFIX}")
    name = shipped_as(name, model_names())
    path = Path(name)
    is_model = name in model_names() or path.name == "config.json"
    is_model = is_model or is_graph_file(path)
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
    content: dict[str, Any]
    if is_model:
        model = model_of(scenario)
        if context is None:
            context = min(_CONTEXT, model.max_context_tokens)
        graph = graph_of(model, context=context, batch=scenario.batch)
        content = graph_content(graph)
        table = model_table(graph, formats, model.formats)
    else:
        workload = load_workload(name)
        if scenario.batch > 1:
            workload = workload.batched(scenario.batch)
        content, table = workload.content(), operators_table(workload, formats)
    if out is not None:
        from experiments.tables.atomic_write import check_writable, write_bytes

        check_writable(out.parent)
        document = json.dumps(content, indent=1) + "\n"
        print(f"wrote {write_bytes(out, document.encode())}")
    elif as_json:
        print(json.dumps(content, indent=1))
    else:
        plain_console().print(table)


def model_table(
    graph: "OperatorGraph",
    formats: "FormatsSpec",
    weights: "ModelFormats | None" = None,
) -> "Table":
    """Return what the command ``workload`` prints of a model: operators of its blocks.

    A row is of one layer, of which `layers` are alike; the last row is of all layers.
    Layers whose weights differ in formats have rows of their own.
    """
    from rich.table import Table

    from workloads.operator_costs import operator_cost

    rows = []
    sums = [0, 0, 0]
    for block, layer, count in _kinds_of_layers(graph, weights):
        for operator in block.operators:
            cost = operator_cost(graph, block, operator, formats, weights, layer=layer)
            sums = [
                total + count * each for total, each in zip(sums, cost, strict=True)
            ]
            name = operator.name.removeprefix("layers.{layer}.")
            rows.append((name, str(operator.function), str(count), *_scaled(cost)))
    table = Table(box=None, pad_edge=False, show_footer=True)
    table.add_column("operator", footer="all layers")
    table.add_column("function")
    table.add_column("layers", justify="right")
    titles = ("G MACs", "MB read", "MB written")
    for title, footer in zip(titles, _scaled(sums), strict=True):
        table.add_column(title, footer=footer, justify="right")
    for row in rows:
        table.add_row(*row)
    return table


def _kinds_of_layers(
    graph: "OperatorGraph", weights: "ModelFormats | None"
) -> "Iterator[tuple[Block, int | None, int]]":
    """Yield blocks, the first layer of each kind in it, and how many are alike."""
    for block in graph.blocks:
        kinds: dict[tuple[WeightFormat, ...], list[int]] = {}
        for layer in block.layers:
            own = weights.at_layer(layer) if weights is not None else ()
            kinds.setdefault(own, []).append(layer)
        for layers in kinds.values():
            yield block, layers[0], len(layers)
        if not kinds:
            yield block, None, 1


def _scaled(cost: "Sequence[int]") -> tuple[str, str, str]:
    """Return multiply-accumulates in 10^9 and bytes in 10^6, as text."""
    macs, read_bytes, written_bytes = cost
    return (
        f"{macs / 1e9:,.3f}",
        f"{read_bytes / 1e6:,.3f}",
        f"{written_bytes / 1e6:,.3f}",
    )


def operators_table(graph: "Workload", formats: "FormatsSpec") -> "Table":
    """Return what the command ``workload`` prints: each operator's work, the sum."""
    from rich.table import Table

    from sharding.workloads.workload_cost import operator_work, workload_work

    table = Table(box=None, pad_edge=False, show_footer=True)
    table.add_column("operator", footer=f"all {len(graph.operators)}")
    table.add_column("kind")
    titles = ("G MACs", "MB read", "MB written")
    total = _scaled(workload_work(graph, formats))
    for title, footer in zip(titles, total, strict=True):
        table.add_column(title, footer=footer, justify="right")
    for operator in graph.operators:
        work = operator_work(graph, formats, operator)
        table.add_row(operator.name, operator.kind, *_scaled(work))
    return table
