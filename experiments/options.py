"""Options of the command line, and the scenario that they and a file make together."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from specs.scenario import Scenario

ScenarioFile = Annotated[
    Path | None, typer.Argument(help="Scenario TOML; options override it.")
]
Model = Annotated[
    str | None, typer.Option(help="Shipped model (groqrack models) or config.json.")
]
Machine = Annotated[str | None, typer.Option(help="groqrack, or a machine TOML.")]
Chips = Annotated[int | None, typer.Option(help="Chips to use.")]
TOPOLOGY_HELP = (
    "auto, node, rack, nodes33, dragonfly[:palmtree|consecutive|random|annealed], "
    "torus[:8x8], hypercube, full-mesh, flattened-butterfly, fat-tree, "
    "or a .csv or .graphml."
)
TopologyKind = Annotated[str | None, typer.Option(help=TOPOLOGY_HELP)]
StrategyText = Annotated[
    str | None,
    typer.Option(help="tensor=8,pipeline=72; auto, the best there is; or a plan CSV."),
]
ObjectiveText = Annotated[
    str | None,
    typer.Option("--objective", help="What auto seeks: latency, throughput, chips."),
]
Tokens = Annotated[int | None, typer.Option(help="Tokens to decode per sequence.")]
Context = Annotated[int | None, typer.Option(help="Positions in the KV cache.")]
Batch = Annotated[int | None, typer.Option(help="Tokens decoded together.")]
Sequences = Annotated[int | None, typer.Option(help="Sequences in flight.")]
Seed = Annotated[int | None, typer.Option(help="Where all chance comes from.")]
Faults = Annotated[
    str | None, typer.Option(help="Fault script TOML: what breaks, and when.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set a number of the machine."),
]
Out = Annotated[Path | None, typer.Option(help="Folder for tables, trace and picture.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


_SCENARIO_OPTIONS = (
    "model",
    "machine",
    "chips",
    "topology",
    "strategy",
    "objective",
    "tokens",
    "context",
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
    from specs.errors import SpecError
    from specs.scenario import load_scenario, scenario

    given = _given(options)
    base = load_scenario(path).model_dump(exclude_unset=True) if path else {}
    merged = {**base, **given}
    merged["settings"] = {**base.get("settings", {}), **_settings(settings)}
    if "chips" not in merged and "topology" in merged:
        from topologies.selection import whole_machine_chips

        chips = whole_machine_chips(str(merged["topology"]))
        if chips is not None:
            merged["chips"] = chips
    if "chips" in merged and "strategy" not in merged:
        # The default split is made for the default number of chips.
        merged["strategy"] = f"tensor={min(8, merged['chips'])}"
    sought = given.get("objective", "latency")
    if sought != "latency" and merged.get("strategy") != "auto":
        raise SpecError(
            f"--objective {sought} says what a search seeks; add --strategy auto"
        )
    return scenario(merged, origin="command line")


def _settings(pairs: list[str] | None) -> dict[str, str]:
    from specs.errors import SpecError

    values: dict[str, str] = {}
    for pair in pairs or []:
        key, equals, value = pair.partition("=")
        if not equals or not key or not value:
            raise SpecError(f"--set {pair}: write KEY=VALUE, as in link.ber=1e-9")
        if "," in value:
            raise SpecError(
                f"--set {pair}: one value at a time, as in {key}=" + value.split(",")[0]
            )
        values[key.strip()] = value.strip()
    return values
