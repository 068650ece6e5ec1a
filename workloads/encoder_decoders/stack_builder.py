"""Builder of a stack: tensors and operators of an encoder or a decoder, in order."""

from collections.abc import Sequence
from typing import NamedTuple, final

from specs.element_view import View
from specs.encoder_decoders.shape import EncoderDecoder
from specs.encoder_decoders.stack_names import StackNames
from specs.graph import Lookup, Matmul, Operator, Role, Tensor, Vector
from specs.vector_functions import VectorFunction


class Size(NamedTuple):
    """Size of a tensor.

    Attributes
    ----------
    matrices, rows, columns
        Number of matrices, and the size of each.
    """

    matrices: int
    rows: int
    columns: int


@final
class StackBuilder:
    """Builder of the graph of one pass.

    Parameters
    ----------
    model
        Sizes of the model.
    stack
        ``encoder`` or ``decoder``, with which names of its values begin.
    """

    def __init__(self, model: EncoderDecoder, stack: str) -> None:
        self.model = model
        self._tensors: dict[str, Tensor] = {}
        self._operators: list[Operator] = []
        self.stack = stack
        self.turn_to(stack)

    def turn_to(self, stack: str) -> None:
        """Go on with names, heads and sizes of a stack of the model."""
        self.names: StackNames = getattr(self.model.structure, stack)
        self.heads: int = getattr(self.model, f"{stack}_heads")
        self.inner: int = getattr(self.model, f"{stack}_intermediate_size")

    @property
    def head_dim(self) -> int:
        """Return the elements of a head."""
        return self.model.head_size(self.heads)

    @property
    def attended(self) -> int:
        """Return the elements of all heads."""
        return self.heads * self.head_dim

    def graph(self) -> tuple[tuple[Tensor, ...], tuple[Operator, ...]]:
        """Return the tensors and operators that were added."""
        return tuple(self._tensors.values()), tuple(self._operators)

    def name(self, suffix: str) -> str:
        """Return the full name of a value or operator of the stack."""
        return f"{self.stack}.{suffix}"

    def tensor(self, name: str, size: Size, role: Role = Role.ACTIVATION) -> str:
        """Add a tensor unless it is there; return its name."""
        if name not in self._tensors:
            self._tensors[name] = Tensor(
                name=name,
                role=role,
                matrices=size.matrices,
                rows=size.rows,
                columns=size.columns,
            )
        return name

    def weights(self, name: str, rows: int, columns: int) -> str:
        """Add weights, of inputs by outputs, unless they are there."""
        return self.tensor(name, Size(1, rows, columns), Role.WEIGHTS)

    def product(self, name: str, left: str, right: str, made: str, size: Size) -> str:
        """Add a product; return its result."""
        self.tensor(made, size)
        self._operators.append(
            Matmul(name=name, left=(left,), right=right, output=made)
        )
        return made

    def vector(
        self,
        name: str,
        function: VectorFunction,
        inputs: Sequence[str],
        size: Size,
        *,
        chained: bool = False,
        role: Role = Role.ACTIVATION,
    ) -> str:
        """Add a vector function, whose result has its name; return that."""
        self.tensor(name, size, role)
        self._operators.append(
            Vector(
                name=name,
                function=function,
                inputs=tuple(inputs),
                outputs=(name,),
                epsilon=self.model.norm_epsilon,
                chained=chained,
            )
        )
        return name

    def rearrange(
        self,
        name: str,
        inputs: Sequence[str],
        views: Sequence[View],
        size: Size,
        *,
        turns: int = 1,
        role: Role = Role.ACTIVATION,
        moved: int | None = None,
    ) -> str:
        """Add a result whose elements are those of others in other places.

        Parameters
        ----------
        name, size, role
            The result.
        inputs, views, turns
            What it is made of, as a graph's operator has them.
        moved
            Elements that are really moved; all if None.
        """
        self.tensor(name, size, role)
        self._operators.append(
            Vector(
                name=f"{name}.append" if role is Role.STATE else name,
                function=VectorFunction.REARRANGE,
                inputs=tuple(inputs),
                outputs=(name,),
                views=tuple(views),
                turns=turns,
                elements=moved,
            )
        )
        return name

    def lookup(self, name: str, tables: Sequence[str], index: Sequence[str]) -> str:
        """Add the sum of rows of tables at numbers; return it."""
        rows = self._tensors[index[0]].rows
        self.tensor(name, Size(1, rows, self.model.hidden_size))
        self._operators.append(
            Lookup(name=name, tables=tuple(tables), index=tuple(index), output=name)
        )
        return name

    def norm(self, name: str, stored: str, given: str, rows: int) -> str:
        """Add a norm of rows of the residual stream; return its result."""
        hidden = self.model.hidden_size
        centred = self.model.structure.layer_norms
        vectors = [
            self.weights(f"{stored}.{kind}", 1, hidden)
            for kind in (("weight", "bias") if centred else ("weight",))
        ]
        function = VectorFunction.LAYER_NORM if centred else VectorFunction.RMS_NORM
        return self.vector(name, function, [given, *vectors], Size(1, rows, hidden))

    def projection(
        self,
        name: str,
        stored: str,
        given: str,
        size: Size,
        *,
        inner: int,
        biased: bool,
        residual: str | None = None,
        function: VectorFunction | None = None,
        gate: str | None = None,
    ) -> str:
        """Add a product with weights, and what follows it; return the result.

        One function takes results as they leave the product.

        Parameters
        ----------
        name, stored
            Name of the result, and that of the weights without an ending.
        given, inner
            The left operand, and its columns.
        size
            The result, whose matrices are heads that lie side by side.
        biased
            Whether a bias is added.
        residual, gate
            What the result is added to, or multiplied by.
        function
            What is computed of each element at the end.
        """
        matrix = self.weights(f"{stored}.weight", inner, size.matrices * size.columns)
        added = [residual] if residual else []
        if biased:
            # Heads that lie below each other have a row each.
            row = (size.matrices, size.columns)
            added.insert(0, self.weights(f"{stored}.bias", *row))
        follows: list[tuple[VectorFunction, list[str]]] = []
        if added:
            follows.append((VectorFunction.ADD, added))
        if gate:
            follows.append((VectorFunction.MULTIPLY, [gate]))
        if function:
            follows.append((function, []))
        made = self.product(
            f"{name}.product",
            given,
            matrix,
            f"{name}.product" if follows else name,
            size,
        )
        for number, (each, operands) in enumerate(follows):
            last = number + 1 == len(follows)
            made = self.vector(
                name if last else f"{name}.biased",
                each,
                [made, *operands],
                size,
                chained=not number,
            )
        return made
