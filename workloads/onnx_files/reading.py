"""Reading of an ONNX file: its nodes in order, and the shape of every value.

The package onnx is imported when a file is read, and is needed for nothing else.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from specs.errors import SpecError
from specs.input_files import check_file
from workloads.onnx_files.constants import (
    MOST_ELEMENTS,
    Constants,
    elements_of,
    is_external,
)
from workloads.onnx_files.node_order import check_names, sort_nodes
from workloads.onnx_files.open_sizes import set_sizes

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

# From this version of the format on, a constant need not be an input as well.
_CONSTANTS_ARE_NO_INPUTS = 4
# What the format can have in one file; weights beyond it are in others.
LARGEST_BYTES = 2 << 30
INSTALL = "pip install 'groqrack-fabric[onnx]'"


class ShapedModel(NamedTuple):
    """Model of an ONNX file, ready to be read node after node.

    Attributes
    ----------
    model
        The model, its nodes in order, without the numbers of its weights.
    constants
        Those numbers.
    types, shapes
        Type of each value, and the shapes that are known.
    """

    model: "ModelProto"
    constants: Constants
    types: Mapping[str, int]
    shapes: Mapping[str, tuple[int, ...]]


def read_model(
    path: Path, dims: Mapping[str, int], known: Collection[str]
) -> ShapedModel:
    """Return the model of an ONNX file with shapes of all values, its nodes in order.

    Functions are replaced by their nodes, unless they are known, and nodes by their
    results if these follow from constants and shapes.

    Parameters
    ----------
    path
        The file. The numbers of its weights may be elsewhere, and are not read.
    dims
        Sizes of dimensions that the file names and leaves open.
    known
        Operators that are not taken apart.

    Raises
    ------
    SpecError
        If the package onnx is missing; or the file cannot be read, is not whole, is
        cyclic, or leaves sizes open.
    """
    try:
        import onnx  # noqa: PLC0415
        from google.protobuf.message import DecodeError  # noqa: PLC0415
    except ImportError:
        raise SpecError(
            f"{path}: to read ONNX files, install the package onnx: {INSTALL}"
        ) from None
    check_file(path, LARGEST_BYTES)
    try:
        model = onnx.load_model(path, load_external_data=False)
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error}") from None
    except DecodeError:
        raise SpecError(f"{path}: not an ONNX model; is the file complete?") from None
    return shaped_model(model, str(path), dims, known)


def shaped_model(
    model: "ModelProto", origin: str, dims: Mapping[str, int], known: Collection[str]
) -> ShapedModel:
    """Return an ONNX model with shapes of all values, its nodes in order.

    Parameters and errors are those of `read_model`; `origin` is for messages.
    """
    from onnx import helper, shape_inference  # noqa: PLC0415

    if not model.graph.node:
        raise SpecError(f"{origin}: an ONNX model without nodes; is the file complete?")
    check_names(model.graph, origin)
    constants, light = Constants(model), _without_numbers(model)
    sort_nodes(light.graph, origin)
    set_sizes(light.graph, dims, origin)
    # Weights are inputs of known shapes.
    light.graph.input.extend(
        helper.make_tensor_value_info(each.name, each.data_type, each.dims)
        for each in model.graph.initializer
        if _is_large(each)
    )
    try:
        types, shapes = _fold(light, constants)
        # The inliner looks for the types of all values, those of constants too.
        light.graph.value_info.extend(
            helper.make_tensor_value_info(name, types[name], shapes.get(name))
            for name in types
        )
        light = _inlined(light, [("", name) for name in known])
        del light.graph.value_info[:]
        sort_nodes(light.graph, origin)
        types, shapes = _fold(light, constants)
    except (shape_inference.InferenceError, RuntimeError, ValueError) as error:
        first = " ".join(str(error).split())
        raise SpecError(f"{origin}: its shapes do not fit: {first}") from None
    return ShapedModel(light, constants, types, shapes)


def _inlined(model: "ModelProto", known: list[tuple[str, str]]) -> "ModelProto":
    """Return a model whose functions are replaced by their nodes, but those known."""
    from onnx import inliner  # noqa: PLC0415

    try:
        return inliner.inline_selected_functions(
            model, known, exclude=True, inline_schema_functions=True
        )
    except RuntimeError:
        # Functions of ONNX that it cannot take apart are named as they are.
        return inliner.inline_local_functions(model)


def _fold(
    model: "ModelProto", constants: Constants
) -> tuple[dict[str, int], dict[str, tuple[int, ...]]]:
    """Replace nodes by their results where these are known, and return all shapes."""
    from onnx import numpy_helper, shape_inference  # noqa: PLC0415

    graph = model.graph
    while True:
        shaped = shape_inference.infer_shapes(
            model, check_type=True, strict_mode=True, data_prop=True
        )
        types, shapes = _values_of(shaped)
        folded = {
            number: found
            for number, node in enumerate(graph.node)
            if (found := constants.fold(model, node, shapes))
        }
        if not folded:
            return types, shapes
        for number in sorted(folded, reverse=True):
            del graph.node[number]
        graph.initializer.extend(
            numpy_helper.from_array(array, name)
            for found in folded.values()
            for name, array in found.items()
        )


def _without_numbers(model: "ModelProto") -> "ModelProto":
    """Return a copy of a model without the numbers of all but small constants."""
    from onnx import GraphProto, ModelProto  # noqa: PLC0415

    graph = model.graph
    names = {each.name for each in graph.initializer}
    return ModelProto(
        ir_version=max(model.ir_version, _CONSTANTS_ARE_NO_INPUTS),
        opset_import=model.opset_import,
        functions=model.functions,
        graph=GraphProto(
            name=graph.name,
            node=graph.node,
            # The numbers of an input that has some may not be looked at.
            input=[each for each in graph.input if each.name not in names],
            output=graph.output,
            initializer=[each for each in graph.initializer if not _is_large(each)],
        ),
    )


def _is_large(tensor: "TensorProto") -> bool:
    """Return whether a constant has too many numbers to look at, or none."""
    return is_external(tensor) or elements_of(tensor) > MOST_ELEMENTS


def _values_of(
    model: "ModelProto",
) -> tuple[dict[str, int], dict[str, tuple[int, ...]]]:
    """Return the type of each value of a model, and the shapes that are known."""
    types: dict[str, int] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    graph = model.graph
    for value in (*graph.input, *graph.value_info, *graph.output):
        tensor = value.type.tensor_type
        types[value.name] = tensor.elem_type
        if tensor.HasField("shape") and all(
            dim.HasField("dim_value") for dim in tensor.shape.dim
        ):
            shapes[value.name] = tuple(dim.dim_value for dim in tensor.shape.dim)
    for stored in graph.initializer:
        types[stored.name] = stored.data_type
        shapes[stored.name] = tuple(stored.dims)
    return types, shapes
