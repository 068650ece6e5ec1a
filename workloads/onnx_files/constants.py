"""Numbers of ONNX graphs that are known before the graph runs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from specs.errors import SpecError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

Array = NDArray[Any]
# Larger constants are weights: only their shapes are looked at.
MOST_ELEMENTS = 1 << 16
# Nodes whose result is not the same each time.
_RANDOM = (
    *("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike"),
    *("Bernoulli", "Multinomial"),
)


@final
class Constants:
    """Numbers that are known before an ONNX graph runs.

    Parameters
    ----------
    model
        The model, with the numbers of its weights, or without.
    """

    def __init__(self, model: "ModelProto") -> None:
        self._stored = {each.name: each for each in model.graph.initializer}
        self._found: dict[str, Array] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all ONNX values that are known before the graph runs."""
        return tuple(dict.fromkeys((*self._stored, *self._found)))

    def numbers(self, name: str) -> Array | None:
        """Return the numbers of an ONNX value, None if they are not known or many."""
        if name not in self._found and name in self._stored:
            tensor = self._stored[name]
            if is_external(tensor) or elements_of(tensor) > MOST_ELEMENTS:
                return None
            self._found[name] = self.stored(name)
        return self._found.get(name)

    def stored(self, name: str) -> Array:
        """Return the numbers of an ONNX file's weights.

        Raises
        ------
        SpecError
            If they are in another file, or not as many as its shape says.
        """
        if name in self._found:
            return self._found[name]
        tensor = self._stored[name]
        if is_external(tensor):
            where = {each.key: each.value for each in tensor.external_data}
            raise SpecError(
                f"the numbers of {name} are in the file "
                f"{where.get('location', 'that it does not name')}, which is not read"
            )
        return _numbers_of(tensor)

    def fold(
        self,
        model: "ModelProto",
        node: "NodeProto",
        shapes: Mapping[str, tuple[int, ...]],
    ) -> dict[str, Array] | None:
        """Return the results of an ONNX node if they are known, and keep them.

        The node is evaluated by the reference evaluator of the package onnx.

        Parameters
        ----------
        model, node
            The model, and a node of it.
        shapes
            Shapes of the model's values, as far as they are known.
        """
        if node.domain or any(each.HasField("g") for each in node.attribute):
            return None
        if node.op_type in ("Shape", "Size"):
            found = _shape(node, shapes.get(node.input[0]))
        elif node.op_type in _RANDOM or not self._are_known(node, shapes):
            return None
        else:
            given = {name: self.numbers(name) for name in filter(None, node.input)}
            try:
                found = _evaluated(model, node, given)
            except (NotImplementedError, RuntimeError, TypeError, ValueError):
                # The evaluator has not got it; the reader names it, if it has not.
                return None
        self._found |= found or {}
        return found

    def _are_known(
        self, node: "NodeProto", shapes: Mapping[str, tuple[int, ...]]
    ) -> bool:
        """Return whether a node's operands are known, and its results few."""
        if any(self.numbers(name) is None for name in filter(None, node.input)):
            return False
        if node.op_type == "Constant":
            return True
        if node.op_type == "Range":
            start, limit, delta = (self.numbers(name) for name in node.input)
            assert start is not None
            assert limit is not None
            return bool(abs((limit - start) / delta) <= MOST_ELEMENTS)
        sizes = [shapes.get(name) for name in filter(None, node.output)]
        return all(
            size is not None and np.prod(size, dtype=np.int64) <= MOST_ELEMENTS
            for size in sizes
        )


def elements_of(tensor: "TensorProto") -> int:
    """Return the elements of an ONNX file's tensor."""
    return int(np.prod(tensor.dims, dtype=np.int64))


def is_external(tensor: "TensorProto") -> bool:
    """Return whether the numbers of an ONNX file's tensor are in another file."""
    return bool(tensor.data_location)


def type_name(kind: int) -> str:
    """Return the name of a type of an ONNX file's numbers."""
    from onnx import TensorProto  # noqa: PLC0415

    return str(TensorProto.DataType.Name(kind))


def is_whole(kind: int) -> bool:
    """Return whether a type of an ONNX file is whole numbers or truth values."""
    name = type_name(kind)
    return "INT" in name or name == "BOOL"


def attributes_of(node: "NodeProto") -> dict[str, Any]:
    """Return the attributes of an ONNX node by name; texts are decoded.

    Raises
    ------
    SpecError
        If one has no type, which readers take for different values.
    """
    from onnx import helper  # noqa: PLC0415

    for each in node.attribute:
        if not each.type:
            raise SpecError(
                f"attribute {each.name!r} of a node {node.op_type} has no type; is the "
                f"file complete?"
            )
    found = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    return {
        key: value.decode() if isinstance(value, bytes) else value
        for key, value in found.items()
    }


def first_number(tensor: "TensorProto") -> float:
    """Return the first number of an ONNX tensor."""
    numbers = _numbers_of(tensor).reshape(-1)
    if not numbers.size:
        raise SpecError(f"tensor {tensor.name!r} holds no number")
    return float(numbers[0])


def _numbers_of(tensor: "TensorProto") -> Array:
    """Return the numbers of an ONNX tensor, which may be damaged."""
    from onnx import numpy_helper  # noqa: PLC0415

    try:
        array: Array = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise SpecError(
            f"tensor {tensor.name!r} does not hold the numbers of its shape "
            f"{tuple(tensor.dims)}: {reason}; is the file complete?"
        ) from None
    return array


def _shape(node: "NodeProto", shape: tuple[int, ...] | None) -> dict[str, Array] | None:
    """Return the result of a node that asks for the shape of a value."""
    if shape is None:
        return None
    (output,) = node.output
    if node.op_type == "Size":
        return {output: np.array(np.prod(shape, dtype=np.int64))}
    cut = {each.name: each.i for each in node.attribute}
    dims = shape[cut.get("start", 0) : cut.get("end", len(shape))]
    return {output: np.array(dims, dtype=np.int64)}


def _evaluated(
    model: "ModelProto", node: "NodeProto", given: Mapping[str, Array | None]
) -> dict[str, Array]:
    """Return the results of a node of known operands."""
    from onnx import TensorProto, helper  # noqa: PLC0415
    from onnx.reference import ReferenceEvaluator  # noqa: PLC0415

    known = {name: each for name, each in given.items() if each is not None}
    names = [name for name in node.output if name]
    graph = helper.make_graph(
        [node],
        "constant",
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(each.dtype), each.shape
            )
            for name, each in known.items()
        ],
        [
            helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None)
            for name in names
        ],
    )
    alone = helper.make_model(graph, opset_imports=model.opset_import)
    alone.ir_version = model.ir_version
    made = ReferenceEvaluator(alone).run(None, known)
    return {name: np.asarray(each) for name, each in zip(names, made, strict=True)}
