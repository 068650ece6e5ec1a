"""Attributes of the operators of graphs that are not of a model."""

from dataclasses import dataclass
from typing import final

from specs.element_view import View
from specs.vector_functions import VectorFunction


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixProductAttributes:
    """Attributes of a product with weights whose rows are inputs.

    Parameters
    ----------
    left
        Left operands, whose columns lie side by side.
    matrices
        Weight matrices, whose rows follow each other.
    used
        Matrices by which each row is multiplied.
    chosen
        Whether these are some of them, which the last operand numbers.
    shape
        Rows and columns of the result, row after row that of the products.
    """

    left: int
    matrices: int
    used: int
    chosen: bool
    shape: tuple[int, int]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PairedProductAttributes:
    """Attributes of a product of matrices in pairs: their number, and the result."""

    matrices: int
    shape: tuple[int, int]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class VectorAttributes:
    """Attributes of a vector operator: its function, None if that is not known.

    Shapes are the rows and columns of the results; `epsilon`, `views` and `turns` are
    as in the operator.
    """

    function: VectorFunction | None
    epsilon: float
    shapes: tuple[tuple[int, int], ...]
    views: tuple[View, ...] = ()
    turns: int = 1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LookupRowsAttributes:
    """Attributes of a lookup: the tables, which are followed by the row numbers."""

    tables: int
