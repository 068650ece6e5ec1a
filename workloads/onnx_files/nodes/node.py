"""Node of an ONNX graph as its readers see it: operands, attributes, shapes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from specs.errors import SpecError
from workloads.onnx_files.graph_builder import OnnxGraphBuilder
from workloads.onnx_files.values import Value, dims_of


class UnreadNodeError(SpecError):
    """What an ONNX node asks for and the graph language does not have."""


@final
@dataclass(frozen=True, kw_only=True)
class Node:
    """Node of an ONNX graph.

    Parameters
    ----------
    builder
        What its operators are added to.
    kind, name
        Operator of ONNX, and name of the node.
    version
        Version of the set of operators.
    attributes
        Its attributes by name.
    inputs
        Its operands; None where it has none.
    shapes
        Shape of each result; None where it is not asked for.
    known
        Returns the numbers of the operand at a place, None if it is no constant with
        numbers in the file.
    """

    builder: OnnxGraphBuilder
    kind: str
    name: str
    version: int
    attributes: Mapping[str, Any]
    inputs: Sequence[Value | None]
    shapes: Sequence[tuple[int, ...] | None]
    known: Callable[[int], NDArray[Any] | None]

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of the first result."""
        assert self.shapes[0] is not None
        return self.shapes[0]

    def has(self, place: int) -> bool:
        """Return whether the node has an operand at a place."""
        return place < len(self.inputs) and self.inputs[place] is not None

    def value(self, place: int) -> Value:
        """Return the operand at a place."""
        value = self.inputs[place] if place < len(self.inputs) else None
        if value is None:
            raise UnreadNodeError(f"has no operand {place + 1}")
        return value

    def numbers(self, place: int) -> NDArray[Any]:
        """Return the numbers of an operand that decides what the node does.

        Raises
        ------
        UnreadNodeError
            If they are not known before the graph runs.
        """
        found = self.known(place)
        if found is None:
            raise UnreadNodeError(f"operand {place + 1} must be a constant in the file")
        return found

    def optional_numbers(self, place: int) -> NDArray[Any] | None:
        """Return the numbers of an operand that may be left out."""
        return self.numbers(place) if self.has(place) else None

    def only_first(self) -> None:
        """Refuse a node of which more than the first result is asked for."""
        if any(shape is not None for shape in self.shapes[1:]):
            raise UnreadNodeError("only its first output is known")

    def refuse(self, what: str) -> UnreadNodeError:
        """Return the error of a node that asks for something that is not modelled."""
        return UnreadNodeError(what)


def reshaped(node: Node, value: Value, shape: Sequence[int]) -> Value:
    """Return an ONNX value in another shape; its elements are moved if they must be."""
    found = value.reshaped(shape)
    if found is not None:
        return found
    if not value.constant:
        base = node.builder.tensor(value, dims=dims_of(shape))
        return Value(
            base, np.empty(tuple(shape), np.int8), 0, value.cells.size, constant=False
        )
    return node.builder.derived("kept", np.array, value).reshaped(shape) or value


def filled(node: Node, shape: Sequence[int], number: float) -> Value:
    """Return a constant of an ONNX graph whose numbers are all the same."""
    scalar = node.builder.scalar(number)
    return scalar.of(np.broadcast_to(scalar.cells, tuple(shape)))
