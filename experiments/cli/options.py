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
    str | None,
    typer.Option(
        help="Shipped model (groqrack models) or config.json.",
        show_default="llama-2-70b",
    ),
]
Machine = Annotated[
    str | None,
    typer.Option(
        help="groqrack, groqnode, groqcard, lpx, or a machine TOML.",
        show_default="groqrack",
    ),
]
WorkloadName = Annotated[
    str | None,
    typer.Option(
        "--workload",
        help="In place of a model: gemm:MxKxN, lstm:HIDDEN, a shipped name, or a file: "
        ".toml, .json or .onnx.",
    ),
]
Chips = Annotated[
    int | None,
    typer.Option(
        help="Chips to use.", show_default="576; those of a topology or machine named"
    ),
]
TOPOLOGY_HELP = (
    "auto, node, rack, nodes33, lpx, dragonfly[:palmtree|consecutive|random|annealed], "
    "torus[:8x8], hypercube, full-mesh, flattened-butterfly, fat-tree, "
    "or a .csv or .graphml."
)
TopologyKind = Annotated[
    str | None, typer.Option(help=TOPOLOGY_HELP, show_default="auto")
]
StrategyText = Annotated[
    str | None,
    typer.Option(
        help="tensor=8,pipeline=72; auto, the best there is; or a plan CSV. Of a "
        "workload column=4,row=2, or auto.",
        show_default="tensor=8, over all chips; of a workload auto",
    ),
]
ObjectiveText = Annotated[
    str | None,
    typer.Option(
        "--objective",
        help="What auto seeks: latency, throughput, chips, energy; or goodput.",
        show_default="latency",
    ),
]
PlacementText = Annotated[
    str | None,
    typer.Option(
        "--placement",
        help="naive: chips in order; auto: neighbouring chips.",
        show_default="naive",
    ),
]
Tokens = Annotated[
    int | None, typer.Option(help="Tokens to decode per sequence.", show_default="8")
]
Context = Annotated[
    int | None,
    typer.Option(
        help="Positions in the KV cache.", show_default="4096; what a prompt needs"
    ),
]
Prompt = Annotated[
    int | None,
    typer.Option(help="Positions of a prompt before the tokens.", show_default="0"),
]
PrefillChunk = Annotated[
    int | None,
    typer.Option(
        help="Positions of the prompt computed together.", show_default="the fastest"
    ),
]
ContextBucket = Annotated[
    int | None,
    typer.Option(
        help="Positions of context that one program serves.", show_default="256"
    ),
]
Batch = Annotated[
    int | None, typer.Option(help="Tokens decoded together.", show_default="1")
]
Sequences = Annotated[
    int | None, typer.Option(help="Sequences in flight.", show_default="1")
]
Seed = Annotated[
    int | None, typer.Option(help="Seed of all random numbers.", show_default="1")
]
Faults = Annotated[
    str | None,
    typer.Option(help="Fault script TOML: what breaks, and when.", show_default="none"),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set a number of the machine or model; simulate sweeps KEY=A,B,C.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(help="Folder for tables, trace and picture."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]

Engine = Annotated[
    str | None,
    typer.Option(
        help="simpy, or replay: the same integers, faster.", show_default="simpy"
    ),
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
