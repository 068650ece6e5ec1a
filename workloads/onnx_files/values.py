"""Values of an ONNX graph: which element of a tensor each element of a value is.

Transposes, reshapes and slices move nothing by themselves: they change where the next
operator finds the elements. Elements are moved only if that operator needs another
order than the tensor has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from specs.element_view import Loop, View

Cells = NDArray[np.int8]
Dims = tuple[int, int, int]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """Value of an ONNX graph, as a view of the elements of a tensor.

    Parameters
    ----------
    base
        Name of the tensor, or of the constant.
    cells
        A byte for each element of the value, in memory where a byte for each element of
        the base is. It is never read: its strides are what it is for.
    start
        Element of the base that is the first of the value.
    elements
        Elements of the base.
    constant
        Whether the base is known before the graph runs.
    """

    base: str
    cells: Cells
    start: int
    elements: int
    constant: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of the value."""
        return self.cells.shape

    @property
    def size(self) -> int:
        """Return the elements of the value."""
        return self.cells.size

    @property
    def in_order(self) -> bool:
        """Return whether its elements are all those of the base, in their order."""
        expected, whole = 1, self.start == 0 and self.cells.size == self.elements
        for size, stride in zip(
            reversed(self.shape), reversed(self.cells.strides), strict=True
        ):
            if size > 1 and stride != expected:
                return False
            expected *= size
        return whole

    @property
    def order(self) -> tuple[int, ...]:
        """Return its dimensions in the order in which the base has them.

        If the base has other elements too, or some more than once, the order is that
        of the value.
        """
        dims = range(len(self.shape))
        found = tuple(sorted(dims, key=lambda dim: -self._reach(dim)))
        return found if self.transposed(found).in_order else tuple(dims)

    def _reach(self, dim: int) -> float:
        """Return the stride of a dimension; that of a single place is of no matter."""
        if self.shape[dim] > 1:
            return self.cells.strides[dim]
        inner = [self.cells.strides[n] for n in range(dim) if self.shape[n] > 1]
        return min(inner, default=self.elements) - 0.5

    def order_with_last(self, *last: int) -> tuple[int, ...]:
        """Return its dimensions as its base has them, some of them moved to the end."""
        count = len(self.shape)
        ends = [dim % count for dim in last]
        return (*(dim for dim in self.order if dim not in ends), *ends)

    def transposed(self, order: Sequence[int]) -> "Value":
        """Return it with its dimensions in another order."""
        return self.of(self.cells.transpose(order))

    def of(self, cells: Cells) -> "Value":
        """Return the value of other cells of the same base."""
        return Value(self.base, cells, self._start(cells), self.elements, self.constant)

    def _start(self, cells: Cells) -> int:
        moved = _address(cells) - _address(self.cells)
        return self.start + moved

    def reshaped(self, shape: Sequence[int]) -> "Value | None":
        """Return it in another shape, None if its elements would have to move."""
        try:
            return self.of(self.cells.reshape(shape, copy=False))
        except ValueError:
            return None

    def view(self) -> View:
        """Return which elements of the base it takes, as an operator moves them."""
        loops: list[Loop] = []
        for size, stride in zip(self.shape, self.cells.strides, strict=True):
            if size == 1:
                continue
            if loops and loops[-1].stride == size * stride:
                joined = loops[-1].size * size
                loops[-1] = Loop(size=joined, stride=stride)
            else:
                loops.append(Loop(size=size, stride=stride))
        return View(loops=tuple(loops) or (Loop(size=1, stride=0),), start=self.start)

    def numbers(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the numbers of the value, given those of its base."""
        flat = np.ascontiguousarray(array).reshape(-1)[self.start :]
        strides = tuple(flat.itemsize * stride for stride in self.cells.strides)
        return np.lib.stride_tricks.as_strided(
            flat, self.shape, strides, writeable=False
        )


def whole(base: str, shape: Sequence[int], *, constant: bool) -> Value:
    """Return the value of all elements of a base of an ONNX graph, in their order."""
    elements = prod(shape)
    return Value(base, np.empty(tuple(shape), np.int8), 0, elements, constant)


def dims_of(shape: Sequence[int]) -> Dims:
    """Return the matrices, rows and columns of a tensor with an ONNX value's shape."""
    *before, rows, columns = (1, 1, *shape)
    return prod(before), rows, columns


def inverse(order: Sequence[int]) -> tuple[int, ...]:
    """Return the order of dimensions that undoes another one of an ONNX value."""
    return tuple(np.argsort(order).tolist())


def _address(cells: Cells) -> int:
    """Return the address of the first cell."""
    return int(cells.__array_interface__["data"][0])
