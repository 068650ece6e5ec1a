"""Slices of single weight tensors over the chips of a tensor group.

Tensors have the shapes of Hugging Face checkpoints, with output features as rows.
"""

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sharding.parallelism.ranges import TensorSlices
from sharding.parallelism.tensor_group import Range, TensorGroup
from sharding.weights.tensor_names import names_of
from specs.arrays import Ints
from specs.families.tensor_names import TensorNames
from specs.model import ModelSpec

_LATER_COPY = re.compile(r" from \d+ \(copies\)$")


def is_of_later_block(tensor: str) -> bool:
    """Return whether a transformer's tensor is a copy for a later part of a module."""
    return bool(_LATER_COPY.search(tensor))


class ProjectionRows(NamedTuple):
    """Output features of a projection: the rows on each chip and the total.

    Attributes
    ----------
    name
        Name of the projection, without ``.weight``.
    rows
        Rows of the whole projection.
    start, end
        Rows of each chip, end exclusive, shape ``(width,)``.
    """

    name: str
    rows: int
    start: Ints
    end: Ints


class GroupSlices(NamedTuple):
    """Slices of a model's tensors over one tensor group.

    Attributes
    ----------
    model
        The model.
    split
        The tensor group.
    """

    model: ModelSpec
    split: TensorGroup

    @property
    def width(self) -> int:
        """Return the number of chips of the group."""
        return self.split.width

    @property
    def whole_hidden(self) -> Range:
        """Return the whole hidden dimension as the range of each chip."""
        return Range(self.zeros, self.zeros + self.model.hidden_size)

    @property
    def names(self) -> TensorNames:
        """Return the tensor names of the model, those of a dense feed-forward."""
        names = names_of(self.model.family, experts=1)
        return names.in_order(self.model.block_order)

    @property
    def zeros(self) -> Ints:
        """Return zeros of shape ``(width,)``."""
        return np.zeros(self.width, dtype=np.int64)

    def by_rows(
        self,
        parts: list[ProjectionRows],
        *,
        biased: bool,
        inputs: Range | None = None,
        biases: Range | None = None,
    ) -> list[TensorSlices]:
        """Return the slices of projections whose output features are split.

        Projections of one name are consecutive rows of one tensor, as in checkpoints
        with fused projections.

        Parameters
        ----------
        parts
            Projections and the rows of each chip.
        biased
            Whether each projection has a bias.
        inputs
            Columns of each chip, the whole hidden dimension if None.
        biases
            Bias elements of each chip, those of its rows if None.
        """
        hidden = self.model.hidden_size
        rows: dict[str, int] = {}
        for part in parts:
            rows[part.name] = rows.get(part.name, 0) + part.rows
        slices = []
        offset = dict.fromkeys(rows, 0)
        for name, own, first, last in parts:
            start, end = offset[name] + first, offset[name] + last
            weight = TensorSlices(
                f"{name}.weight",
                rows[name],
                hidden,
                start,
                end,
                *(inputs or self.whole_hidden),
                multiplied=True,
            )
            slices.append(weight)
            if biased:
                own_bias = biases or Range(first, last)
                bias = self.vector(
                    f"{name}.bias",
                    rows[name],
                    offset[name] + own_bias.start,
                    offset[name] + own_bias.end,
                )
                slices.append(bias)
            offset[name] += own
        return slices

    def by_columns(
        self,
        name: str,
        columns: int,
        held: Range,
        *,
        biased: bool,
        outputs: Range | None = None,
    ) -> list[TensorSlices]:
        """Return the slices of a projection to the hidden dimension, split by inputs.

        Parameters
        ----------
        name, columns
            Name of the projection, and its input features.
        held
            Columns of each chip.
        biased
            Whether the projection has a bias.
        outputs
            Rows of each chip, the whole hidden dimension if None.
        """
        weight = TensorSlices(
            f"{name}.weight",
            self.model.hidden_size,
            columns,
            *(outputs or self.whole_hidden),
            *held,
            multiplied=True,
        )
        # The bias is added to the reduce-scattered sum, which is split into shards.
        return [weight, self.by_hidden(f"{name}.bias", 1, 0, 1)] if biased else [weight]

    def by_hidden(self, name: str, rows: int, start: int, end: int) -> TensorSlices:
        """Return the residual shards of rows ``start .. end - 1`` of a tensor."""
        hidden = self.model.hidden_size
        shards = self.split.shards(hidden)
        return TensorSlices(
            tensor=name,
            rows=rows,
            columns=hidden,
            row_start=self.zeros + start,
            row_end=self.zeros + end,
            column_start=shards.start,
            column_end=shards.end,
        )

    def vector(self, name: str, size: int, start: Ints, end: Ints) -> TensorSlices:
        """Return the slices of a tensor of one row."""
        return TensorSlices(name, 1, size, self.zeros, self.zeros + 1, start, end)

    def norm(self, name: str, *, begin: int = 0, mark: str = "") -> list[TensorSlices]:
        """Return the slices of a norm's weight and of its bias, if it has one.

        A LayerNorm subtracts a mean that is known only after the all-gather, times the
        weights of all columns. So each chip holds its weights and biases whole.

        Parameters
        ----------
        name
            Name of the norm, without ``.weight``.
        begin
            First column or row of its module that a block has. Blocks behind the first
            have copies of a LayerNorm alone, and nothing of another norm.
        mark
            End of its tensors' names in a plan, if it is a second copy of them.
        """
        structure = self.model.structure
        if structure.layer_norms:
            whole = self.zeros == 0
            size = self.model.hidden_size
            kinds = ("weight", "bias") if structure.norm_biases else ("weight",)
            return [
                each
                for kind in kinds
                for each in self.copied_vector(
                    whole, f"{name}.{kind}{mark}", size, block_begin=begin
                )
            ]
        return [] if begin else [self.by_hidden(f"{name}.weight{mark}", 1, 0, 1)]

    def copied_vector(
        self,
        holds: NDArray[np.bool_],
        tensor: str,
        size: int,
        *,
        block_begin: int = 0,
    ) -> list[TensorSlices]:
        """Return the slices of a vector that several chips hold whole.

        The first of them holds the tensor, the others hold copies.

        Parameters
        ----------
        holds
            Whether each chip holds the vector, shape ``(width,)``.
        tensor, size
            Name and elements of the vector.
        block_begin
            If not 0, all of them hold copies, for a block that begins there.
        """
        held = self.zeros + holds
        # Numbers the holders from 0.
        number = np.cumsum(held) - 1
        first = np.where(number == 0, held, 0) * size
        slices = []
        if block_begin:
            first *= 0
        else:
            slices.append(self.vector(tensor, size, self.zeros, first))
        copies = int(held.sum()) - (not block_begin)
        if copies:
            row = np.maximum(number - (not block_begin), 0)
            block = f" from {block_begin}" if block_begin else ""
            others = TensorSlices(
                tensor=f"{tensor}{block} (copies)",
                rows=copies,
                columns=size,
                row_start=row,
                row_end=row + 1,
                column_start=self.zeros,
                column_end=held * size - first,
            )
            slices.append(others)
        return slices
