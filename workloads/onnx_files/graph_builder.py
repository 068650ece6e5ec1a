"""Building of a workload's graph from the nodes of an ONNX graph."""

from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import final

import numpy as np

from specs.element_view import View
from specs.formats import Format
from specs.graph import Lookup, Matmul, Operator, Role, Tensor, Vector
from specs.vector_functions import VectorFunction
from workloads.onnx_files.values import Dims, Value, dims_of, inverse, whole
from workloads.onnx_files.weight_sources import Array, Numbers, WeightSource


@final
class OnnxGraphBuilder:
    """Builder of a workload's graph from an ONNX graph, node after node.

    Attributes
    ----------
    tensors, operators
        What was built so far.
    weights
        Where the numbers of each weight tensor are.
    node
        Name of the node that is being read; its operators begin with it.
    """

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.operators: list[Operator] = []
        self.weights: dict[str, WeightSource] = {}
        self.node = ""
        self._numbers: dict[str, Numbers] = {}
        self._formats: dict[str, Format | None] = {}
        self._scalars: dict[float, Value] = {}
        self._laid: dict[tuple[object, ...], str] = {}
        self._names: set[str] = set()

    def constant(
        self,
        name: str,
        shape: Sequence[int],
        numbers: Numbers,
        stored: Format | None = None,
    ) -> Value:
        """Return a constant of an ONNX graph, which takes memory only where it is read.

        Parameters
        ----------
        name, shape
            Name and shape.
        numbers
            Returns its numbers.
        stored
            Format in which it is stored.
        """
        base = self._fresh(name)
        self._numbers[base], self._formats[base] = numbers, stored
        return whole(base, shape, constant=True)

    def scalar(self, number: float) -> Value:
        """Return a constant of one number in an ONNX graph."""
        if number not in self._scalars:
            name = f"number {number:g}"
            self._scalars[number] = self.constant(name, (), lambda: np.array(number))
        return self._scalars[number]

    def derived(
        self, name: str, function: Callable[..., Array], *values: Value
    ) -> Value:
        """Return a constant that follows from others of an ONNX graph.

        It is computed before the graph runs, and has the shape of the first.
        """
        return self.derived_as(name, values[0].shape, function, *values)

    def derived_as(
        self,
        name: str,
        shape: Sequence[int],
        function: Callable[..., Array],
        *values: Value,
    ) -> Value:
        """Return a constant of a shape that follows from others of an ONNX graph."""
        sources = [(value, self._numbers[value.base]) for value in values]
        return self.constant(
            f"{self.node}.{name}",
            shape,
            lambda: function(*(value.numbers(numbers()) for value, numbers in sources)),
            self._formats[values[0].base],
        )

    def made(
        self,
        name: str,
        shape: Sequence[int],
        role: Role = Role.ACTIVATION,
        stored: Format | None = None,
        dims: Dims | None = None,
    ) -> Value:
        """Return a new tensor of an ONNX graph, its elements in their order.

        Parameters
        ----------
        name, shape
            Name, which a number is added to if it is taken, and shape.
        role, stored
            Role and format of the tensor.
        dims
            Matrices, rows and columns; those of the shape if None.
        """
        base = self._fresh(name)
        matrices, rows, columns = dims or dims_of(shape)
        self.tensors[base] = Tensor(
            name=base,
            role=role,
            matrices=matrices,
            rows=rows,
            columns=columns,
            format=stored,
        )
        return whole(base, shape, constant=False)

    def tensor(
        self, value: Value, dims: Dims | None = None, columns: int | None = None
    ) -> str:
        """Return the name of a tensor that has an ONNX value's elements in order.

        Elements are moved if there is none, and constants are stored.

        Parameters
        ----------
        value
            The value.
        dims
            Matrices, rows and columns of the tensor; any if None.
        columns
            Columns of the tensor, whatever its rows; any if None.
        """
        own = dims or dims_of(value.shape)
        if columns is not None and own[2] != columns:
            own = (1, value.cells.size // columns, columns)
        if value.in_order and not value.constant:
            known = self.tensors[value.base]
            same = (known.matrices, known.rows, known.columns) == own
            alike = dims is None and columns in (None, known.columns)
            if same or alike:
                return value.base
        strides = tuple(
            (size, stride)
            for size, stride in zip(value.shape, value.cells.strides, strict=True)
            if size > 1
        )
        key = value.base, value.start, strides, own
        if key not in self._laid:
            self._laid[key] = self._stored(value, own)
        return self._laid[key]

    def _stored(self, value: Value, dims: Dims) -> str:
        """Return the name of a new tensor with the elements of a value."""
        if not value.constant:
            parts = [(value.base, value.view())]
            return self.rearranged("moved", parts, value.shape, dims=dims).base
        base = self._fresh(value.base, stored=True)
        matrices, rows, columns = dims
        self.tensors[base] = Tensor(
            name=base,
            role=Role.WEIGHTS,
            matrices=matrices,
            rows=rows,
            columns=columns,
            format=self._formats[value.base],
        )
        self.weights[base] = WeightSource(value, self._numbers[value.base], dims)
        return base

    def rearranged(
        self,
        name: str,
        parts: Sequence[tuple[str, View]],
        shape: Sequence[int],
        *,
        turns: int = 1,
        dims: Dims | None = None,
    ) -> Value:
        """Return elements that an operator of an ONNX graph moves.

        Parameters
        ----------
        name
            What they are, for the name of the operator.
        parts
            Tensors, and the view of each.
        shape, dims
            Shape of the value, and sizes of its tensor.
        turns
            Turns in which the views are taken.
        """
        output = self.made(f"{self.node}.{name}", shape, dims=dims)
        self.operators.append(
            Vector(
                name=output.base,
                inputs=tuple(base for base, _ in parts),
                outputs=(output.base,),
                function=VectorFunction.REARRANGE,
                views=tuple(view for _, view in parts),
                turns=turns,
            )
        )
        return output

    def vector(
        self,
        function: VectorFunction,
        inputs: Sequence[str],
        shape: Sequence[int],
        epsilon: float | None = None,
        dims: Dims | None = None,
    ) -> Value:
        """Return what a vector operator of an ONNX graph makes of tensors."""
        output = self.made(f"{self.node}.{function}", shape, dims=dims)
        made = Vector(
            name=output.base,
            inputs=tuple(inputs),
            outputs=(output.base,),
            function=function,
        )
        if epsilon is not None:
            made = made.model_copy(update={"epsilon": epsilon})
        self.operators.append(made)
        return output

    def product(self, left: str, right: str, shape: Sequence[int]) -> Value:
        """Return a matrix product of two tensors of an ONNX graph."""
        output = self.made(f"{self.node}.product", shape)
        self.operators.append(
            Matmul(name=output.base, left=(left,), right=right, output=output.base)
        )
        return output

    def looked_up(self, table: str, index: str, shape: Sequence[int]) -> Value:
        """Return the rows of a table of an ONNX graph at the numbers in a tensor."""
        output = self.made(f"{self.node}.rows", shape)
        self.operators.append(
            Lookup(
                name=output.base, tables=(table,), index=(index,), output=output.base
            )
        )
        return output

    def elementwise(self, function: VectorFunction, *values: Value) -> Value:
        """Return a function of ONNX values that are broadcast, element by element.

        The result has the order of the first operand as large as it is, so that no
        element moves if all operands have the same order.
        """
        shape = np.broadcast_shapes(*(value.shape for value in values))
        known = [v for v in values if not v.constant and v.shape == shape]
        order = known[0].order if known else tuple(range(len(shape)))
        own = tuple(shape[dim] for dim in order)
        inputs = [self._operand(value, shape, order) for value in values]
        made = self.vector(function, inputs, own)
        return made.transposed(inverse(order))

    def _operand(self, value: Value, shape: Sequence[int], order: Sequence[int]) -> str:
        """Return the tensor of an operand: an element, some rows, or all of it."""
        if value.cells.size == 1:
            return self.tensor(value.of(value.cells.reshape(1)))
        spread = value.of(np.broadcast_to(value.cells, tuple(shape)).transpose(order))
        if value.constant:
            # Rows of weights begin again after the last.
            return self.tensor(spread.of(spread.cells[(0,) * _repeated(spread)]))
        return self.tensor(spread)

    def _fresh(self, name: str, *, stored: bool = False) -> str:
        """Return a name that no tensor has; of a stored constant its own if it can."""
        # Matrices of one tensor are numbered in brackets.
        name = name.replace("[", "(").replace("]", ")")
        found, number = name, 1
        taken = self.tensors if stored else self._names
        while found in taken:
            number += 1
            found = f"{name}.{number}"
        self._names.add(found)
        return found


def _repeated(value: Value) -> int:
    """Return the leading dimensions over which rows repeat, of all but the last."""
    pairs = zip(value.shape[:-1], value.cells.strides[:-1], strict=True)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == 1 or not pair[1], pairs))
