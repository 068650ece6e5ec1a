"""Workload presets by name: a matrix product and a step of an LSTM."""

from collections.abc import Sequence

from specs.errors import SpecError
from specs.formats import Format
from specs.graph import Matmul, Operator, Role, Tensor, Vector
from specs.input_files import shown
from specs.vector_functions import VectorFunction

# Syntax of each name.
NAMED = {"gemm": "gemm:MxKxN[:FORMAT][:gathered]", "lstm": "lstm:HIDDEN[:FORMAT]"}
_GATHERED = "gathered"
_GEMM_SIDES = 3
# As many as the most elements that a tensor may have.
_MOST_DIGITS = 12
# Input, forget and output gate, and the new cell.
_GATES = 4

Graph = tuple[tuple[Tensor, ...], tuple[Operator, ...]]


def named_graph(text: str) -> Graph:
    """Return the workload spec's graph of a name such as ``gemm:320x640x960``.

    Raises
    ------
    SpecError
        If sizes are missing or invalid, or a format is unknown.
    """
    kind, *parts = text.split(":")
    sizes, *options = parts or [""]
    numbers = [piece.strip() for piece in sizes.split("x")]
    wanted = _GEMM_SIDES if kind == "gemm" else 1
    if len(numbers) != wanted or not all(
        number.isascii()
        and number.isdecimal()
        and len(number) <= _MOST_DIGITS
        and int(number) > 0
        for number in numbers
    ):
        example = "gemm:2304x4096x2048" if kind == "gemm" else "lstm:1024"
        raise SpecError(
            f"workload {shown(text)}: write {NAMED[kind]} with sizes of at least 1 and "
            f"at most {_MOST_DIGITS} digits, as in {example}"
        )
    gathered = kind == "gemm" and _GATHERED in options
    formats = [option for option in options if not (gathered and option == _GATHERED)]
    if len(formats) > 1 or not set(formats) <= set(Format):
        known = [each.value for each in Format]
        raise SpecError(
            f"workload {text!r}: write {NAMED[kind]}; formats are {', '.join(known)}"
        )
    if kind == "gemm":
        stored = Format(formats[0]) if formats else Format.FP16
        return _gemm([int(number) for number in numbers], stored, gathered=gathered)
    return _lstm(int(numbers[0]), Format(formats[0]) if formats else Format.INT8)


def _gemm(sides: Sequence[int], stored: Format, *, gathered: bool) -> Graph:
    """Return the spec of a product ``[M x K] x [K x N]``; the second is installed."""
    rows, inner, columns = sides
    return (
        (
            Tensor(name="a", role=Role.INPUT, rows=rows, columns=inner, format=stored),
            Tensor(
                name="b", role=Role.WEIGHTS, rows=inner, columns=columns, format=stored
            ),
            Tensor(
                name="c",
                role=Role.OUTPUT,
                rows=rows,
                columns=columns,
                gathered=gathered,
            ),
        ),
        (Matmul(name="gemm", left=("a",), right="b", output="c"),),
    )


def _lstm(hidden: int, stored: Format) -> Graph:
    """Return the spec of one step of an LSTM, with an input as long as its state."""
    gates = _GATES * hidden
    return (
        (
            Tensor(name="x", role=Role.INPUT, rows=1, columns=hidden, format=stored),
            Tensor(name="h", role=Role.STATE, rows=1, columns=hidden, format=stored),
            Tensor(name="cell", role=Role.STATE, rows=1, columns=hidden),
            Tensor(
                name="w",
                role=Role.WEIGHTS,
                rows=2 * hidden,
                columns=gates,
                format=stored,
            ),
            Tensor(name="gates", rows=1, columns=gates),
        ),
        (
            Matmul(name="gates", left=("x", "h"), right="w", output="gates"),
            Vector(
                name="cell",
                inputs=("gates", "cell"),
                outputs=("cell", "h"),
                function=VectorFunction.LSTM_CELL,
                chained=True,
            ),
        ),
    )
