"""Options of the command line, and the scenario that they and a file make together."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from specs.scenario import Scenario

ScenarioFile = Annotated[
    Path | None, typer.Argument(help="Scenario TOML; options override it.")
]
Model = Annotated[
    str | None, typer.Option(help="Shipped model (groqrack models) or config.json.")
]
Machine = Annotated[
    str | None,
    typer.Option(help="groqrack, groqnode, groqcard, lpx, or a machine TOML."),
]
WorkloadName = Annotated[
    str | None,
    typer.Option(
        "--workload",
        help="In place of a model: gemm:MxKxN, lstm:HIDDEN, a shipped name, or a file.",
    ),
]
Chips = Annotated[int | None, typer.Option(help="Chips to use.")]
TOPOLOGY_HELP = (
    "auto, node, rack, nodes33, lpx, dragonfly[:palmtree|consecutive|random|annealed], "
    "torus[:8x8], hypercube, full-mesh, flattened-butterfly, fat-tree, "
    "or a .csv or .graphml."
)
TopologyKind = Annotated[str | None, typer.Option(help=TOPOLOGY_HELP)]
StrategyText = Annotated[
    str | None,
    typer.Option(
        help="tensor=8,pipeline=72; auto, the best there is; or a plan CSV. Of a "
        "workload column=4,row=2, or auto."
    ),
]
ObjectiveText = Annotated[
    str | None,
    typer.Option(
        "--objective", help="What auto seeks: latency, throughput, chips, energy."
    ),
]
PlacementText = Annotated[
    str | None,
    typer.Option("--placement", help="Chips in order: naive; or near ones: auto."),
]
Tokens = Annotated[int | None, typer.Option(help="Tokens to decode per sequence.")]
Context = Annotated[int | None, typer.Option(help="Positions in the KV cache.")]
Prompt = Annotated[
    int | None, typer.Option(help="Positions of a prompt before the tokens.")
]
PrefillChunk = Annotated[
    int | None, typer.Option(help="Positions of the prompt computed together.")
]
ContextBucket = Annotated[
    int | None, typer.Option(help="Positions of context that one program serves.")
]
Batch = Annotated[int | None, typer.Option(help="Tokens decoded together.")]
Sequences = Annotated[int | None, typer.Option(help="Sequences in flight.")]
Seed = Annotated[int | None, typer.Option(help="Where all chance comes from.")]
Faults = Annotated[
    str | None, typer.Option(help="Fault script TOML: what breaks, and when.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set a number of the machine or model; simulate sweeps KEY=A,B,C.",
    ),
]
Out = Annotated[Path | None, typer.Option(help="Folder for tables, trace and picture.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


_SCENARIO_OPTIONS = (
    "model",
    "workload",
    "machine",
    "chips",
    "topology",
    "strategy",
    "objective",
    "placement",
    "tokens",
    "context",
    "prompt",
    "prefill_chunk",
    "context_bucket",
    "batch",
    "sequences",
    "seed",
    "engine",
    "faults",
)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """Return the scenario options that were given on the command line."""
    return {
        name: options[name]
        for name in _SCENARIO_OPTIONS
        if options.get(name) is not None
    }


def scenario_from(
    path: Path | None, options: dict[str, Any], settings: list[str] | None
) -> "Scenario":
    """Return the scenario of a file, with what was given on the command line instead.

    Parameters
    ----------
    path
        Scenario TOML, None for the defaults.
    options
        Options by name; what is None was not given, other names are not the scenario's.
    settings
        Pairs ``KEY=VALUE``.

    Raises
    ------
    SpecError
        If a key is unknown or a value cannot be meant.
    """
    from experiments.run.preparation import scenario_of
    from specs.errors import SpecError

    fixed, swept = parse_settings(settings)
    for key, values in swept.items():
        raise SpecError(
            f"--set {key}={','.join(values)}: one value at a time here, as in "
            f"{key}={values[0]}; groqrack simulate and groqrack sweep take several"
        )
    content = content_from(path, options, fixed)
    sought = _given(options).get("objective", "latency")
    if sought != "latency" and content.get("strategy") != "auto":
        raise SpecError(
            f"--objective {sought} says what a search seeks; add --strategy auto"
        )
    return scenario_of(content, "command line")


def content_from(
    path: Path | None, options: dict[str, Any], settings: dict[str, str]
) -> dict[str, Any]:
    """Return what a file and the command line say, before what is missing is filled in.

    Parameters are those of `scenario_from`, the settings by key.
    """
    from specs.scenario import load_scenario

    base = load_scenario(path).model_dump(exclude_unset=True) if path else {}
    merged = {**base, **_given(options)}
    merged["settings"] = {**base.get("settings", {}), **settings}
    return merged


def parse_settings(
    pairs: list[str] | None,
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the settings of one value, and those of several, by key.

    Raises
    ------
    SpecError
        If a pair is not ``KEY=VALUE`` or ``KEY=A,B,C``, or a key of several values is
        given twice.
    """
    from specs.errors import SpecError

    fixed: dict[str, str] = {}
    swept: dict[str, list[str]] = {}
    for pair in pairs or []:
        key, equals, value = (piece.strip() for piece in pair.partition("="))
        if not equals or not key or not value:
            raise SpecError(f"--set {pair}: write KEY=VALUE, as in link.ber=1e-9")
        if key in swept or ("," in value and key in fixed):
            raise SpecError(f"--set {pair}: {key} is given twice; put all in one list")
        if "," in value:
            swept[key] = [each.strip() for each in value.split(",")]
        else:
            fixed[key] = value
    return fixed, swept


def plain_console() -> Console:
    """Return standard output for tables, without colours that rich would guess."""
    return Console(highlight=False)
