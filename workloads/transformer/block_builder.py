"""Builder of a block: tensors and operators under the names of its part."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from specs.formats import Format
from specs.graph import Role
from specs.linear_attention import STATE_FORMAT
from specs.machine_formats import FormatsSpec
from specs.model import ModelSpec
from workloads.attributes import Attributes, NormAttributes
from workloads.operator_graph import Block
from workloads.operators import Function, GraphOperator, GraphTensor, TokenRows


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Transformer:
    """What all blocks of a transformer's graph depend on.

    Parameters
    ----------
    model
        Sizes and numerical settings.
    formats
        Number formats of weights, activations and the KV cache; None to leave them out.
    rows
        Tokens of the iteration.
    norm
        Normalisation of the inputs of blocks.
    residual_is_normed
        Whether the normed input of a block is also its residual, as in a model that
        normalises behind its blocks.
    """

    model: ModelSpec
    formats: FormatsSpec | None
    rows: TokenRows
    norm: NormAttributes
    residual_is_normed: bool = False

    @property
    def norm_vectors(self) -> tuple[str, ...]:
        """Return the kinds of vectors that a norm has: weights, and biases if any."""
        biased = self.norm.centred and self.model.structure.norm_biases
        return ("weight", "bias") if biased else ("weight",)


@final
class BlockBuilder:
    """Builder of one block; all names begin with its prefix.

    Parameters
    ----------
    transformer
        The transformer.
    name
        Name of the block.
    layers
        Layers in which it is, empty for a block that is there once.
    """

    def __init__(
        self, transformer: Transformer, name: str, layers: tuple[int, ...] = ()
    ) -> None:
        self.transformer = transformer
        self._name = name
        self._layers = layers
        self._prefix = f"layers.{{layer}}.{name}" if layers else name
        self._tensors: list[GraphTensor] = []
        self._operators: list[GraphOperator] = []

    def name(self, suffix: str) -> str:
        """Return the full name of a tensor or operator of the block."""
        return f"{self._prefix}.{suffix}"

    def input(self, name: str) -> str:
        """Declare an input of the iteration, one number a row; return its name."""
        rows = self.transformer.rows.count
        self._tensors.append(
            GraphTensor(name=name, rows=rows, columns=1, role=Role.INPUT)
        )
        return name

    def weights(
        self, suffix: str, rows: int, columns: int, *, copy_of: str | None = None
    ) -> str:
        """Declare weights of output features by input features; return their name."""
        formats = self.transformer.formats
        return self._declare(
            suffix,
            rows,
            columns,
            role=Role.WEIGHTS,
            number_format=formats.weights.element if formats else None,
            copy_of=copy_of,
        )

    def state(self, suffix: str, rows: int, columns: int) -> str:
        """Declare a part of the KV cache; return its name."""
        formats = self.transformer.formats
        return self._state(suffix, rows, columns, formats.kv_cache if formats else None)

    def recurrent_state(
        self, suffix: str, rows: int, columns: int, *, wide: bool = False
    ) -> str:
        """Declare a state that every token replaces; return its name.

        It is in the format of activations, or in that of sums if `wide`, whatever
        formats are given.
        """
        formats = self.transformer.formats
        own = STATE_FORMAT if wide else formats.activations if formats else None
        return self._state(suffix, rows, columns, own)

    def _state(
        self, suffix: str, rows: int, columns: int, number_format: Format | None
    ) -> str:
        return self._declare(
            suffix, rows, columns, role=Role.STATE, number_format=number_format
        )

    def operator(
        self,
        suffix: str,
        function: Function,
        inputs: list[str],
        outputs: Mapping[str, int],
        attributes: Attributes | None = None,
        *,
        rows: int | None = None,
        role: Role = Role.ACTIVATION,
        wide: tuple[str, ...] = (),
    ) -> tuple[str, ...]:
        """Add an operator and declare its results.

        Parameters
        ----------
        suffix
            Name within the block.
        function, attributes
            What it computes.
        inputs
            Full names of its operands.
        outputs
            Columns of each result, by name within the block.
        rows
            Rows of the results, those of the iteration if None.
        role
            Role of the results.
        wide
            Results that are in FP32: sums, and what is chosen by.

        Returns
        -------
        tuple of str
            Full names of the results.
        """
        formats = self.transformer.formats
        names = tuple(
            self._declare(
                name,
                self.transformer.rows.count if rows is None else rows,
                columns,
                role=role,
                number_format=None
                if formats is None
                else Format.FP32
                if name in wide
                else formats.activations,
            )
            for name, columns in outputs.items()
        )
        self._operators.append(
            GraphOperator(
                name=self.name(suffix),
                function=function,
                inputs=tuple(inputs),
                outputs=names,
                attributes=attributes,
            )
        )
        return names

    def block(self, hands_on: str) -> Block:
        """Return the block; `hands_on` is what the next one takes on."""
        return Block(
            name=self._name,
            tensors=tuple(self._tensors),
            operators=tuple(self._operators),
            hands_on=hands_on,
            layers=self._layers,
        )

    def _declare(
        self,
        suffix: str,
        rows: int,
        columns: int,
        *,
        role: Role,
        number_format: Format | None,
        copy_of: str | None = None,
    ) -> str:
        tensor = GraphTensor(
            name=self.name(suffix),
            rows=rows,
            columns=columns,
            role=role,
            format=number_format,
            copy_of=copy_of,
        )
        self._tensors.append(tensor)
        return tensor.name
