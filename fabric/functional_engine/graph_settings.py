"""Settings of operators of graphs that are not of a model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from chip.element_numbering import Numbering

Array = NDArray[Any]


class ValueShape(NamedTuple):
    """Shape of a value as the functional engine finds its elements.

    Attributes
    ----------
    rows, columns
        Size of the matrix.
    numbering
        How its elements are counted in regions.
    """

    rows: int
    columns: int
    numbering: Numbering


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSettings:
    """Settings of an operator of a graph; a function reads those that it needs.

    Parameters
    ----------
    inputs
        Names of its operands, in the order of the function; weights of several
        matrices are one.
    shapes
        Shape of each value that is no weight, by name.
    left
        Left operands of a product, which lie side by side.
    matrices
        Matrices of a product.
    chosen
        Whether rows choose their matrices, by the last operand.
    kernel
        Function of a vector operator, on matrices; None if that is not known.
    in_place
        Whether a result follows from what is in its place in the operands. Otherwise
        the function needs whole operands.
    blocks
        Blocks of columns of the first operand of which a vector operator takes one
        element each; of a product, of its result.
    """

    inputs: tuple[str, ...]
    shapes: Mapping[str, ValueShape] = field(default_factory=dict)
    left: int = 1
    matrices: int = 1
    chosen: bool = False
    kernel: Callable[[Sequence[Array]], Sequence[Array]] | None = None
    in_place: bool = True
    blocks: int = 1


def natural(shape: ValueShape, first: int, last: int, elements: Array) -> Array:
    """Return a value as the functional engine has it: elements that it lacks are NaN.

    Parameters
    ----------
    shape
        Shape of the value.
    first, last
        Range of its elements, as they are counted in regions.
    elements
        Those elements.
    """
    kind = elements.dtype if elements.dtype.kind == "f" else np.dtype(np.float64)
    made = np.full(shape.rows * shape.columns, np.nan, dtype=kind)
    made[shape.numbering.places(first, last)] = elements
    return made.reshape(shape.rows, shape.columns)
