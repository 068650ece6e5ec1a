"""Operators and tensors of a language model, with shapes, before any sharding."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar, final

from specs.formats import Format
from specs.graph import Role
from workloads.attributes import Attributes

A = TypeVar("A")
# Stand in names for the layer, the tensor that the preceding block hands on, and the
# one that it took on itself.
LAYER = "{layer}"
RESIDUAL = "{residual}"
LAYER_INPUT = "{layer_input}"
# Begin of the names of what all tokens use beside the experts that they choose.
SHARED = "shared_"


def is_shared(name: str) -> bool:
    """Return whether a name within a block of experts is of the shared expert."""
    own = name.removesuffix(".weight").removesuffix(".bias")
    return own.rpartition(".")[2].startswith(SHARED)


def is_recurrent(name: str) -> bool:
    """Return whether a state is replaced by every token, by its name in a graph.

    Other states are caches, which grow.
    """
    return name.endswith("_state")


class Function(StrEnum):
    """Function of an operator."""

    EMBED = "embed"
    ADD_TABLES = "add_tables"
    NORM_WEIGH = "norm_weigh"
    NORM_SCALE = "norm_scale"
    NORM_ADD = "norm_add"
    PRODUCT = "product"
    HEAD_NORM = "head_norm"
    HEAD_SCALE = "head_scale"
    LATENT_NORM = "latent_norm"
    OUTPUT_GATE = "output_gate"
    # Of linear attention.
    CONVOLVE = "convolve"
    UNIT_NORM = "unit_norm"
    DECAY = "decay"
    DELTA_RULE = "delta_rule"
    GATED_NORM = "gated_norm"
    POSITION = "position"
    SCORES = "scores"
    SOFTMAX = "softmax"
    VALUES = "values"
    ADD = "add"
    ROUTER = "router"
    CHOOSE = "choose"
    ACTIVATE = "activate"
    CANDIDATE = "candidate"
    SAMPLE = "sample"
    # Of graphs that are not of a model.
    MATRIX_PRODUCT = "matrix_product"
    PAIRED_PRODUCT = "paired_product"
    VECTOR = "vector"
    LOOKUP_ROWS = "lookup_rows"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRows:
    """Tokens of an iteration. Row s * query_tokens + i is token i of sequence s.

    Parameters
    ----------
    batch
        Sequences.
    context
        Positions of each sequence after the iteration.
    query_tokens
        Positions that are computed, the last of the context.
    answer_tokens
        Positions that go through the head, the last of those.
    """

    batch: int
    context: int
    query_tokens: int
    answer_tokens: int

    @property
    def count(self) -> int:
        """Return the number of rows."""
        return self.batch * self.query_tokens

    @property
    def answered(self) -> int:
        """Return the number of rows that go through the head."""
        return self.batch * self.answer_tokens

    @property
    def first_position(self) -> int:
        """Return the position of the first row of each sequence, counted from 0."""
        return self.context - self.query_tokens


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class GraphTensor:
    """Tensor: a matrix under a name.

    Parameters
    ----------
    name
        Name by which operators refer to it.
    rows, columns
        Size. Rows are tokens; those of weights are output features.
    role
        ``weights``, ``input``, ``state`` (kept from iteration to iteration),
        ``activation`` or ``output``.
    format
        Format of an element, None if no formats were given.
    copy_of
        Weights that have the same values, as a tied head has the embedding's.
    """

    name: str
    rows: int
    columns: int
    role: Role = Role.ACTIVATION
    format: Format | None = None
    copy_of: str | None = None

    @property
    def elements(self) -> int:
        """Return the number of elements."""
        return self.rows * self.columns

    def placed(self, layer: int | None) -> "GraphTensor":
        """Return the tensor of one layer; ``{layer}`` stands for it in the name."""
        source = self.copy_of and self.copy_of.replace(LAYER, str(layer))
        return replace(self, name=self.name.replace(LAYER, str(layer)), copy_of=source)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class GraphOperator:
    """Operator: a function of tensors.

    Parameters
    ----------
    name
        Name in traces.
    function
        What it computes.
    inputs, outputs
        Names of the tensors that it reads and makes, in the order of the function.
        States that it reads are updated.
    attributes
        What the function needs beyond shapes, None if nothing.
    layer
        Layer of the model, None outside the layers and in a block that is repeated.
    """

    name: str
    function: Function
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Attributes | None = None
    layer: int | None = None

    def attributes_as(self, kind: type[A]) -> A:
        """Return the attributes, which are of a `kind`."""
        assert isinstance(self.attributes, kind), f"{self.name}: no {kind.__name__}"
        return self.attributes

    def placed(
        self, layer: int | None, residual: str, layer_input: str = ""
    ) -> "GraphOperator":
        """Return the operator of one layer.

        ``{layer}`` stands for it in names, ``{residual}`` for the tensor that the
        preceding block hands on, and ``{layer_input}`` for the one that it took on.
        """

        def name(template: str) -> str:
            return (
                template.replace(LAYER, str(layer))
                .replace(RESIDUAL, residual)
                .replace(LAYER_INPUT, layer_input)
            )

        return replace(
            self,
            name=name(self.name),
            inputs=tuple(map(name, self.inputs)),
            outputs=tuple(map(name, self.outputs)),
            layer=layer,
        )


def multiplies_residual(operator: GraphOperator) -> bool:
    """Return whether a graph's operator is a product of the residual as it is."""
    return operator.function is Function.PRODUCT and operator.inputs[0] == RESIDUAL
