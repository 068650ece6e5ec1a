"""Reader of an ONNX model whose shapes are known: its nodes become operators."""

from collections.abc import Mapping
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, final

import numpy as np

from specs.errors import SpecError
from specs.formats import Format
from specs.graph import Role
from workloads.onnx_files.constants import attributes_of, is_whole, type_name
from workloads.onnx_files.graph_builder import OnnxGraphBuilder
from workloads.onnx_files.graph_finish import finished_graph
from workloads.onnx_files.node_order import name_of
from workloads.onnx_files.nodes.attention import ATTENTION_NODES
from workloads.onnx_files.nodes.convolution import CONVOLUTION_NODES
from workloads.onnx_files.nodes.elementwise import ELEMENTWISE_NODES
from workloads.onnx_files.nodes.movement import MOVEMENT_NODES
from workloads.onnx_files.nodes.node import Node, UnreadNodeError
from workloads.onnx_files.nodes.norms import NORM_NODES
from workloads.onnx_files.nodes.padding import PADDING_NODES
from workloads.onnx_files.nodes.products import PRODUCT_NODES
from workloads.onnx_files.nodes.reductions import REDUCTION_NODES
from workloads.onnx_files.reading import ShapedModel
from workloads.onnx_files.values import Value
from workloads.onnx_files.weight_sources import OnnxGraph

if TYPE_CHECKING:
    from onnx import NodeProto

NODES = {
    **ELEMENTWISE_NODES,
    **MOVEMENT_NODES,
    **PRODUCT_NODES,
    **CONVOLUTION_NODES,
    **REDUCTION_NODES,
    **NORM_NODES,
    **PADDING_NODES,
    **ATTENTION_NODES,
}
# Formats of numbers that are stored as they are in the file; others are stored as the
# machine's. Whole numbers are numbers of rows, and truth values are 0 and 1.
_FORMATS = {
    "FLOAT16": Format.FP16,
    "BFLOAT16": Format.BF16,
    "BOOL": Format.INT8,
    "INT4": Format.INT4,
    "UINT4": Format.INT4,
    "INT8": Format.INT8,
    "UINT8": Format.INT8,
    "INT32": Format.FP32,
    "INT64": Format.FP32,
}
_MASK = 3


@final
class ModelReader:
    """Reader of an ONNX model, node after node.

    Parameters
    ----------
    shaped
        The model, with the shapes of its values, its nodes in order.
    origin
        Name of the file, for messages.
    """

    def __init__(self, shaped: ShapedModel, origin: str) -> None:
        self._model, self._constants, self._types, self._shapes = shaped
        self._origin = origin
        self._builder = OnnxGraphBuilder()
        self._values: dict[str, Value] = {}
        versions = {each.domain: each.version for each in self._model.opset_import}
        self._version = versions.get("", 1)

    def graph(self) -> OnnxGraph:
        """Return the graph of the ONNX model.

        Raises
        ------
        SpecError
            If nodes are not modelled; the message names each of them.
        """
        graph = self._model.graph
        needed = self._needed()
        nodes = [
            (name_of(node, number), node)
            for number, node in enumerate(graph.node)
            if needed & set(node.output)
        ]
        faults = [
            f"{name} ({node.domain + '.' if node.domain else ''}{node.op_type})"
            for name, node in nodes
            if node.domain or node.op_type not in NODES
        ]
        if faults:
            raise SpecError(
                f"{self._origin} has {len(faults)} nodes that are not modelled: "
                f"{', '.join(faults)}; modelled are {', '.join(sorted(NODES))}"
            )
        self._add_stored(needed)
        for name, node in nodes:
            faults += self._read(node, name, needed)
        if faults:
            raise SpecError(f"{self._origin}: {'; '.join(faults)}")
        outputs = {each.name: self._values[each.name] for each in graph.output}
        return finished_graph(self._builder, outputs)

    def _needed(self) -> set[str]:
        """Return the values that outputs follow from."""
        graph = self._model.graph
        needed = {each.name for each in graph.output}
        for node in reversed(graph.node):
            if needed & set(node.output):
                needed |= set(filter(None, node.input))
        return needed

    def _add_stored(self, needed: set[str]) -> None:
        """Add the weights of the file, and the inputs that are read."""
        for name in self._constants.names:
            if name in needed:
                self._values[name] = self._builder.constant(
                    name,
                    self._shapes[name],
                    partial(self._constants.stored, name),
                    _stored(self._types[name]),
                )
        for given in self._model.graph.input:
            if given.name in needed and given.name not in self._values:
                self._values[given.name] = self._builder.made(
                    given.name,
                    self._shapes[given.name],
                    Role.INPUT,
                    _stored(self._types[given.name]),
                )

    def _read(self, node: "NodeProto", name: str, needed: set[str]) -> list[str]:
        """Add the operators of a node, and return what is wrong with it."""
        operands = [self._values.get(each) if each else None for each in node.input]
        asked = needed & set(node.output)
        if any(
            operand is None and each
            for operand, each in zip(operands, node.input, strict=True)
        ):
            # What it follows from is not read either, which is a fault already.
            return []
        wrong = [each for each in asked if each not in self._shapes]
        if wrong:
            return [f"{name} ({node.op_type}) makes {wrong[0]}, of no known size"]
        if not any(prod(self._shapes[each]) for each in asked):
            for each in asked:
                self._values[each] = self._nothing(each)
            return []
        empty = [value for value in operands if value is not None and not value.size]
        if empty and node.op_type not in MOVEMENT_NODES:
            return [f"{name} ({node.op_type}) reads a value without elements"]
        self._builder.node = name
        own = Node(
            builder=self._builder,
            kind=node.op_type,
            name=name,
            version=self._version,
            attributes=self._attributes(node),
            inputs=operands,
            shapes=[
                self._shapes[each] if each in asked else None for each in node.output
            ],
            known=lambda place: self._constants.numbers(node.input[place]),
        )
        try:
            made = NODES[node.op_type](own)
        except UnreadNodeError as error:
            return [f"{name} ({node.op_type}) {error}"]
        results = made if isinstance(made, list) else [made]
        for each, value in zip(node.output, results, strict=False):
            if each in asked and value is not None:
                assert value.shape == self._shapes[each], f"{name}: {value.shape}"
                self._values[each] = value
        missing = sorted(asked - set(self._values))
        return [f"{name} ({node.op_type}) does not make {each}" for each in missing]

    def _nothing(self, name: str) -> Value:
        """Return a constant without elements."""
        shape = self._shapes[name]
        return self._builder.constant(name, shape, partial(np.zeros, shape))

    def _attributes(self, node: "NodeProto") -> Mapping[str, Any]:
        """Return the attributes of a node, and what the types of its values say."""
        try:
            found = attributes_of(node)
        except SpecError as error:
            raise SpecError(f"{self._origin}: {error}") from None
        kinds = [self._types.get(name, 0) for name in node.input]
        found["whole"] = bool(kinds) and is_whole(kinds[0])
        if node.op_type == "Attention" and len(kinds) > _MASK:
            found["boolean_mask"] = type_name(kinds[_MASK]) == "BOOL"
        if node.op_type == "Cast":
            found["cuts"] = is_whole(found["to"]) and not found["whole"]
        return found


def _stored(kind: int) -> Format | None:
    """Return the format of numbers of a type of ONNX, None for the machine's."""
    return _FORMATS.get(type_name(kind))
