"""What a workload is made of: tensors, and the operators that work on them."""

from enum import StrEnum
from typing import Annotated, Any, Literal, final

from pydantic import BeforeValidator, Field

from specs.formats import Format
from specs.validation import Spec


class Role(StrEnum):
    """What becomes of a tensor between two iterations."""

    WEIGHTS = "weights"
    INPUT = "input"
    STATE = "state"
    ACTIVATION = "activation"
    OUTPUT = "output"


@final
class Tensor(Spec):
    """Matrices of one size, by name.

    Parameters
    ----------
    name
        What operators call it.
    role
        ``weights`` stay in memory; an ``input`` is there when an iteration starts; a
        ``state`` is what the iteration before has left; an ``activation`` is made and
        used within one iteration; an ``output`` is what is asked for.
    rows, columns
        Size of each matrix.
    matrices
        How many there are.
    format
        Format of an element; that of the machine's weights or activations if None.
    gathered
        Of an output: whether its parts are brought to the first chip. Otherwise each
        chip hands the part that it has made to its own host.
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
        """Return the elements of all matrices."""
        return self.matrices * self.rows * self.columns

    @property
    def shape(self) -> str:
        """Return the size as people write it."""
        size = f"{self.rows} x {self.columns}"
        return f"{self.matrices} of {size}" if self.matrices > 1 else size


def _listed(value: Any) -> Any:
    """Return a single name as a list of one, which is how files may say it."""
    return (value,) if isinstance(value, str) else value


NameList = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]


@final
class Matmul(Spec):
    """A matrix product; the right operand is installed, the left one streams by.

    Parameters
    ----------
    name
        What it is called in traces.
    left
        Tensors whose columns, side by side, are the rows' length of `right`.
    right
        Weights, which meet every row of `left`; or else as many matrices as `left` has,
        which are multiplied in pairs.
    output
        What is made; any tensor of as many elements.
    chosen
        Of several weight matrices, those that one sample uses, as it does of experts;
        all of them if None.
    """

    kind: Literal["matmul"] = "matmul"
    name: str = Field(min_length=1)
    left: NameList
    right: str
    output: str
    chosen: int | None = Field(default=None, gt=0)

    @property
    def reads(self) -> tuple[str, ...]:
        """Return the operands."""
        return (*self.left, self.right)

    @property
    def makes(self) -> tuple[str, ...]:
        """Return the results."""
        return (self.output,)


@final
class Vector(Spec):
    """An element-wise operator or a reduction, as a chain of vector instructions.

    Parameters
    ----------
    name
        What it is called in traces.
    inputs, outputs
        What is read and made.
    operations
        Operations on each element within one pass.
    passes
        Passes over the elements, one after the other.
    elements
        Elements that the chain works on; those of its largest operand if None.
    chained
        Whether it takes the results of the product before it as they leave the matrix
        unit. Of its other operands it takes the part that belongs to those results.
    """

    kind: Literal["vector"] = "vector"
    name: str = Field(min_length=1)
    inputs: NameList
    outputs: NameList
    operations: int = Field(default=1, gt=0)
    passes: int = Field(default=1, gt=0)
    elements: int | None = Field(default=None, gt=0)
    chained: bool = False

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
    """Rows of tables read at addresses that are only known then.

    Parameters
    ----------
    name
        What it is called in traces.
    tables
        Weights; a row of each is read for each row of the output.
    index
        Tensors that say which row, if any do.
    output
        What is made, with rows as long as those of the tables.
    """

    kind: Literal["lookup"] = "lookup"
    name: str = Field(min_length=1)
    tables: NameList
    index: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
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
