"""Weights of an ONNX graph: shapes to plan with, and where their numbers are."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from numpy.typing import NDArray

from specs.graph import Operator, Tensor
from workloads.onnx_files.values import Dims, Value

Array = NDArray[Any]
Numbers = Callable[[], Array]


class WeightSource(NamedTuple):
    """Where an ONNX file has the numbers of a weight tensor.

    Attributes
    ----------
    value
        The constant of which the tensor is made.
    numbers
        Returns the numbers of that constant's base.
    dims
        Matrices, rows and columns of the tensor.
    """

    value: Value
    numbers: Numbers
    dims: Dims

    def array(self) -> Array:
        """Return the numbers of an ONNX file's weights, matrices below each other."""
        matrices, rows, columns = self.dims
        return self.value.numbers(self.numbers()).reshape(matrices * rows, columns)


class OnnxGraph(NamedTuple):
    """Graph of an ONNX file.

    Attributes
    ----------
    tensors, operators
        The workload's graph.
    weights
        Where the numbers of each weight tensor are.
    """

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    weights: Mapping[str, WeightSource]

    def arrays(self) -> dict[str, Array]:
        """Return the numbers of an ONNX file's weights by name, as the graph has them.

        Raises
        ------
        SpecError
            If some of them are in another file.
        """
        return {name: source.array() for name, source in self.weights.items()}
