"""Options that several commands take, and the console they print to."""

import re
import sys
from pathlib import Path
from typing import IO, Annotated, cast

import typer
from rich.console import Console

_PADDING = re.compile(r" +$", re.MULTILINE)

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
        help="In place of a model: gemm:MxKxN, lstm:HIDDEN, a shipped name, or a file: "
        ".toml, .json or .onnx.",
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
        "--objective",
        help="What auto seeks: latency, throughput, chips, energy; or goodput.",
    ),
]
PlacementText = Annotated[
    str | None,
    typer.Option(
        "--placement", help="naive: chips in order; auto: neighbouring chips."
    ),
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
Seed = Annotated[int | None, typer.Option(help="Seed of all random numbers.")]
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

Engine = Annotated[
    str | None, typer.Option(help="simpy, or replay: the same integers, faster.")
]


def plain_console() -> Console:
    """Return the console that commands print to, without colours guessed by rich.

    Lines have no blanks at their ends where they go to a file or to another program.
    """
    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(highlight=False, file=cast(IO[str], _Unpadded()))


class _Unpadded:
    """Standard output without the blanks that tables are padded with."""

    def write(self, text: str) -> int:
        """Write a text of whole lines."""
        return sys.stdout.write(_PADDING.sub("", text))

    def flush(self) -> None:
        """Write what is still in memory."""
        sys.stdout.flush()
