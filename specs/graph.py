"""Operator graph of a workload: tensors, and the operators on them."""

from enum import StrEnum
from typing import Annotated, Any, Literal, final

from pydantic import BeforeValidator, Field

from specs.element_view import View
from specs.formats import Format
from specs.validation import Spec
from specs.vector_functions import FACTS, VectorFunction, operations_of


class Role(StrEnum):
    """Role of a tensor, which decides its lifetime across iterations."""

    WEIGHTS = "weights"
    INPUT = "input"
    STATE = "state"
    ACTIVATION = "activation"
    OUTPUT = "output"


@final
class Tensor(Spec):
    """Tensor: matrices of one size under one name.

    Parameters
    ----------
    name
        Name by which operators refer to it.
    role
        ``weights`` stay in memory; an ``input`` is present when an iteration starts; a
        ``state`` is a result of the previous iteration; an ``activation`` is made and
        used within one iteration; an ``output`` is the result of the iteration.
    rows, columns
        Size of each matrix.
    matrices
        Number of matrices.
    format
        Format of an element; that of the machine's weights or activations if None.
    gathered
        Whether the parts of an output are gathered on the first chip. Otherwise each
        chip sends the part that it has made to its own host.
    """

    name: str = Field(min_length=1)
    role: Role = Role.ACTIVATION
    rows: int = Field(gt=0)
    columns: int = Field(gt=0)
    matrices: int = Field(default=1, gt=0)
    format: Format | None = None
    gathered: bool = False

    @property
    def elements(self) -> int:
        """Return the number of elements of all matrices."""
        return self.matrices * self.rows * self.columns

    @property
    def shape(self) -> str:
        """Return the size as text, such as ``"2 of 3 x 4"``."""
        size = f"{self.rows} x {self.columns}"
        return f"{self.matrices} of {size}" if self.matrices > 1 else size


def _as_names(value: Any) -> Any:
    """Return a single name as a tuple of one; spec files may give either."""
    return (value,) if isinstance(value, str) else value


NameList = Annotated[tuple[str, ...], BeforeValidator(_as_names), Field(min_length=1)]


@final
class Matmul(Spec):
    """Matrix product; the right operand is installed, the left operand streams.

    It multiplies in one of three ways: every row of `left` with all weight matrices of
    `right`; each row with some of them, which `choice` names; or matrices in pairs, if
    `right` is not weights. Rows of a weight matrix are inputs, its columns outputs.

    Parameters
    ----------
    name
        Name in traces.
    left
        Tensors whose columns, concatenated, match the rows of `right`.
    right
        Weights, which multiply every row of `left`; or as many matrices as `left` has,
        which are multiplied in pairs.
    output
        Result; any tensor with the same number of elements.
    chosen
        Number of weight matrices that one sample uses, as of experts; all if None.
    choice
        Tensor with the numbers of the matrices that each row uses, `chosen` for a row;
        without it the times are known and the result is not.
    """

    kind: Literal["matmul"] = "matmul"
    name: str = Field(min_length=1)
    left: NameList
    right: str
    output: str
    chosen: int | None = Field(default=None, gt=0)
    choice: str | None = None

    @property
    def reads(self) -> tuple[str, ...]:
        """Return the operands."""
        beside = (self.choice,) if self.choice else ()
        return (*self.left, self.right, *beside)

    @property
    def makes(self) -> tuple[str, ...]:
        """Return the results."""
        return (self.output,)


@final
class Vector(Spec):
    """Element-wise operator or reduction, a chain of vector instructions.

    Parameters
    ----------
    name
        Name in traces.
    inputs, outputs
        Tensors that are read and made.
    function
        What it computes. If None, only its work is known, so that it is timed and
        cannot be executed with numbers.
    epsilon
        Number that a norm adds to a mean square or a variance.
    views
        Of a function that moves elements: those that it takes of each input.
    turns
        Turns in which it takes them: in each an equal share of each view, one after
        the other. In one turn the views follow each other.
    operations
        Operations per element and pass; those of `function` if None, or 1.
    passes
        Successive passes over the elements; those of `function` if None, or 1.
    elements
        Number of elements; that of the largest operand if None.
    chained
        Whether it consumes the results of the preceding product as they leave the
        matrix unit. It reads the matching part of its other operands.
    """

    kind: Literal["vector"] = "vector"
    name: str = Field(min_length=1)
    inputs: NameList
    outputs: NameList
    function: VectorFunction | None = None
    epsilon: float = Field(default=1e-5, gt=0)
    views: tuple[View, ...] = ()
    turns: int = Field(default=1, gt=0)
    operations: int | None = Field(default=None, gt=0)
    passes: int | None = Field(default=None, gt=0)
    elements: int | None = Field(default=None, gt=0)
    chained: bool = False

    @property
    def operation_count(self) -> int:
        """Return the operations per element and pass."""
        if self.operations is not None or self.function is None:
            return self.operations or 1
        return operations_of(self.function, len(self.inputs))

    @property
    def pass_count(self) -> int:
        """Return the passes over the elements."""
        if self.passes is not None or self.function is None:
            return self.passes or 1
        return FACTS[self.function].passes

    @property
    def reads_back(self) -> bool:
        """Return whether further passes read what an earlier one has written.

        They do not wait for all elements of a row.
        """
        if self.function is None or self.passes is not None:
            return False
        return FACTS[self.function].in_place

    @property
    def reduction_count(self) -> int:
        """Return the reductions over all elements of a row."""
        return 0 if self.function is None else FACTS[self.function].reductions

    @property
    def moves(self) -> bool:
        """Return whether it moves elements to other places."""
        return self.function is not None and FACTS[self.function].moves

    @property
    def operand_count(self) -> int:
        """Return the operands that meet in an element: one of those that are moved."""
        return 1 if self.moves else len(self.inputs)

    @property
    def sized_by(self) -> tuple[str, ...]:
        """Return the tensors the largest of which has the elements it works on."""
        return self.outputs if self.moves else (*self.inputs, *self.outputs)

    @property
    def blocks(self) -> int:
        """Return the blocks of columns of which a result takes one element each."""
        return 1 if self.function is None else FACTS[self.function].blocks

    @property
    def reads(self) -> tuple[str, ...]:
        """Return the operands."""
        return self.inputs

    @property
    def makes(self) -> tuple[str, ...]:
        """Return the results."""
        return self.outputs


@final
class Lookup(Spec):
    """Table lookup: rows that are read at addresses known only at run time.

    Parameters
    ----------
    name
        Name in traces.
    tables
        Weights; one row of each is read per row of the output.
    index
        Tensors that hold the row numbers, one for each table; without them the times
        are known and the result is not.
    output
        Sum of the rows that are found, with rows as long as those of the tables.
    """

    kind: Literal["lookup"] = "lookup"
    name: str = Field(min_length=1)
    tables: NameList
    index: Annotated[tuple[str, ...], BeforeValidator(_as_names)] = ()
    output: str

    @property
    def reads(self) -> tuple[str, ...]:
        """Return the operands."""
        return (*self.tables, *self.index)

    @property
    def makes(self) -> tuple[str, ...]:
        """Return the results."""
        return (self.output,)


Operator = Matmul | Vector | Lookup
