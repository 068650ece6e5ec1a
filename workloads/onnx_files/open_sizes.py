"""Sizes that the inputs of an ONNX graph leave open, by the names that they have."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from specs.errors import SpecError

if TYPE_CHECKING:
    from onnx import GraphProto


def set_sizes(graph: "GraphProto", sizes: Mapping[str, int], origin: str) -> None:
    """Give sizes to dimensions that an ONNX graph's inputs leave open.

    Parameters
    ----------
    graph
        The graph, which is changed.
    sizes
        Sizes by the name of the dimension; one without a name is ``INPUT.AXIS``.
    origin
        Name of the file, for messages.

    Raises
    ------
    SpecError
        If sizes are missing, all of which the message names, or nothing has a size that
        is given, or an input is no tensor.
    """
    open_dims: dict[str, str] = {}
    used: set[str] = set()
    for value in graph.input:
        tensor = value.type.tensor_type
        if not value.type.HasField("tensor_type") or not tensor.HasField("shape"):
            raise SpecError(f"{origin}: input {value.name} is no tensor with a shape")
        for axis, dim in enumerate(tensor.shape.dim):
            if dim.HasField("dim_value") and dim.dim_value > 0:
                continue
            name = dim.dim_param or f"{value.name}.{axis}"
            if name in sizes:
                used.add(name)
                dim.dim_value = sizes[name]
            else:
                open_dims.setdefault(name, value.name)
    _check_sizes(open_dims, sizes, used, origin)
    for value in graph.output:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in sizes:
                dim.dim_value = sizes[dim.dim_param]
            elif dim.dim_param:
                dim.ClearField("dim_param")


def _check_sizes(
    missing: Mapping[str, str], sizes: Mapping[str, int], used: set[str], origin: str
) -> None:
    """Refuse sizes that are missing, and those of no dimension."""
    if missing:
        named = [f"{name} (of input {value})" for name, value in missing.items()]
        known = [f"{name}={size}" for name, size in sizes.items()]
        way = ",".join([*known, *(f"{name}=1" for name in missing)])
        raise SpecError(
            f"{origin} leaves sizes open: {', '.join(named)}; give them after the name "
            f"of the file, as in {origin}:{way}"
        )
    if unknown := sorted(set(sizes) - used):
        raise SpecError(
            f"{origin}: no input leaves the size {', '.join(unknown)} open; it has "
            f"{', '.join(sorted(used)) or 'no such sizes'}"
        )
