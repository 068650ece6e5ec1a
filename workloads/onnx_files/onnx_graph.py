"""Graph of an ONNX file as a workload has it: tensors, operators, and their weights."""

from pathlib import Path

from specs.errors import SpecError
from specs.onnx_names import split_sizes
from workloads.onnx_files.model_reader import NODES, ModelReader
from workloads.onnx_files.reading import ShapedModel, read_model
from workloads.onnx_files.weight_sources import OnnxGraph


def load_onnx(name: str) -> OnnxGraph:
    """Return the graph of an ONNX file.

    Parameters
    ----------
    name
        Path of the file; if it leaves sizes open, followed by them, as in
        ``model.onnx:batch=1,sequence=128``.

    Raises
    ------
    SpecError
        If the file cannot be read, or asks for what is not modelled; the message names
        every such node.
    """
    path, sizes = split_sizes(name)
    dims: dict[str, int] = {}
    for part in filter(None, sizes.split(",")):
        key, _, number = part.partition("=")
        if not (number.isascii() and number.isdecimal() and int(number) > 0):
            raise SpecError(
                f"{name}: {part!r} is no size; write {path}:NAME=SIZE,NAME=SIZE with "
                f"sizes of at least 1"
            )
        dims[key] = int(number)
    return graph_of_model(read_model(Path(path), dims, tuple(NODES)), path)


def graph_of_model(model: ShapedModel, origin: str) -> OnnxGraph:
    """Return the graph of an ONNX model whose shapes are known.

    Parameters
    ----------
    model
        The model, as `read_model` returns it.
    origin
        Name of the file, for messages.
    """
    return ModelReader(model, origin).graph()
