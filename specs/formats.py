"""Number formats: of elements, and of stored weights with the scales of blocks.

An element of a block-scaled format is multiplied by the scale of its block. A matrix
has output features as rows, as in checkpoints, so that a block of 32 inputs is 1 x 32.

- MXFP4 and MXFP8: 4 or 8 bits, and an 8-bit power of two for 32 inputs [mx].
- NVFP4: 4 bits, an FP8 scale for 16 inputs, and one FP32 number for a tensor [nvfp4].
- ``int4:128``: 4 bits and an FP16 scale for a group of 128 inputs; ``int4:128:zero``
  with a zero of 4 bits for the group besides, as AWQ and GPTQ store [awq, gptq].
- ``fp8:128x128``: 8 bits and an FP32 scale for 128 outputs x 128 inputs [deepseek].
- ``int8:row`` has an FP16 scale for all inputs of an output, ``fp8:tensor`` one FP32
  scale for all.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, final

import numpy as np
from pydantic import BeforeValidator, PlainSerializer

from specs.arrays import Ints
from specs.errors import SpecError
from specs.units import BITS_PER_BYTE, ceil_div
from specs.validation import Spec


class Format(StrEnum):
    """Number format of a stored element."""

    FP32 = "fp32"
    FP16 = "fp16"
    BF16 = "bf16"
    FP8 = "fp8"
    INT8 = "int8"
    INT4 = "int4"
    FP4 = "fp4"

    @property
    def bits(self) -> int:
        """Return the bits of one element."""
        return _BITS[self]

    def bytes_of(self, elements: int) -> int:
        """Return the size of `elements` numbers, in whole bytes.

        >>> Format.INT4.bytes_of(3)
        2
        """
        return ceil_div(elements * self.bits, BITS_PER_BYTE)


_BITS = {
    Format.FP32: 32,
    Format.FP16: 16,
    Format.BF16: 16,
    Format.FP8: 8,
    Format.INT8: 8,
    Format.INT4: 4,
    Format.FP4: 4,
}

_BITS_OF_SCALE = 16
_FP32_BITS = 32
# More inputs than any matrix has; a group of them is a mistake.
_MOST = 1 << 24
_ROW, _TENSOR, _ZERO = "row", "tensor", "zero"
# What has a group of inputs or a block: what is narrower than activations.
_SCALED = (Format.FP8, Format.INT8, Format.INT4, Format.FP4)


@final
@dataclass(frozen=True, slots=True)
class WeightFormat:
    """Number format of stored weights.

    Parameters
    ----------
    element
        Format of an element.
    block_rows, block_columns
        Outputs and inputs that share a scale; 0 for all that the tensor has.
    scale_bits, zero_bits
        Bits of the scale and of the zero of a block, 0 without.
    tensor_bits
        Bits of a further scale for the whole tensor, 0 without.
    """

    element: Format
    block_rows: int = 1
    block_columns: int = 1
    scale_bits: int = 0
    zero_bits: int = 0
    tensor_bits: int = 0

    @property
    def scaled(self) -> bool:
        """Return whether elements have scales."""
        return self.scale_bits + self.tensor_bits > 0

    @property
    def bits(self) -> float:
        """Return the bits of an element with its share of its block's scale and zero.

        The fewest there can be: blocks that are cut by an edge take more.
        """
        area = self.block_rows * self.block_columns
        beside = (self.scale_bits + self.zero_bits) / area if area else 0.0
        return self.element.bits + beside

    def slice_bytes(self, rows: tuple[Ints, Ints], columns: tuple[Ints, Ints]) -> Ints:
        """Return the whole bytes of slices of matrices, scales included.

        A slice has the scale of every block that it touches, so that a block which is
        cut has its scale on both sides of the cut; and that of its tensor. Elements,
        scales and zeros are each rounded up to whole bytes.

        Parameters
        ----------
        rows, columns
            Edges of each slice within its tensor, end exclusive, shape ``(slices,)``.

        Examples
        --------
        >>> edges = np.array([0]), np.array([64])
        >>> parse_weight_format("mxfp4").slice_bytes(edges, edges)
        array([2176])
        """
        elements = (rows[1] - rows[0]) * (columns[1] - columns[0])
        if not self.scaled:
            return _whole_bytes(elements * self.element.bits)
        blocks = _touched(*rows, self.block_rows) * _touched(
            *columns, self.block_columns
        )
        held = 1 * (elements > 0)
        size = _whole_bytes(elements * self.element.bits)
        size += held * _whole_bytes(blocks * self.scale_bits)
        size += held * _whole_bytes(blocks * self.zero_bits)
        return size + held * (self.tensor_bits // BITS_PER_BYTE)

    def matrix_bytes(self, rows: int, columns: int) -> int:
        """Return the whole bytes of a matrix of `rows` outputs x `columns` inputs.

        Examples
        --------
        >>> parse_weight_format("int4:128:zero").matrix_bytes(4096, 4096)
        8716288
        """
        zero = np.zeros(1, dtype=np.int64)
        return int(self.slice_bytes((zero, zero + rows), (zero, zero + columns))[0])

    def __str__(self) -> str:
        """Return the name, as settings and specs give it."""
        for name, known in NAMED.items():
            if known == self:
                return name
        if not self.scaled:
            return self.element.value
        if not self.scale_bits:
            block = _TENSOR
        elif self.block_columns == 0:
            block = _ROW
        else:
            wide = f"{self.block_rows}x" if self.block_rows > 1 else ""
            block = f"{wide}{self.block_columns}"
        zero = f":{_ZERO}" if self.zero_bits else ""
        return f"{self.element.value}:{block}{zero}"


NAMED = {
    "mxfp4": WeightFormat(Format.FP4, block_columns=32, scale_bits=8),
    "mxfp8": WeightFormat(Format.FP8, block_columns=32, scale_bits=8),
    "nvfp4": WeightFormat(
        Format.FP4, block_columns=16, scale_bits=8, tensor_bits=_FP32_BITS
    ),
}
_KNOWN = (
    f"{', '.join([*Format, *NAMED])}, or one with a scale for a block of weights such "
    "as int4:128, int4:128:zero, fp8:128x128, int8:row or fp8:tensor"
)


def grouped(
    element: Format, inputs: int, *, outputs: int = 1, zero: bool = False
) -> WeightFormat:
    """Return a number format with a scale for each block of `outputs` x `inputs`.

    Parameters
    ----------
    element
        Format of an element.
    inputs
        Inputs that share a scale, 0 for all.
    outputs
        Outputs that share it. Scales of several are FP32, others FP16.
    zero
        Whether a block has a zero of as many bits as an element.
    """
    return WeightFormat(
        element,
        block_rows=outputs,
        block_columns=inputs,
        scale_bits=_FP32_BITS if outputs > 1 else _BITS_OF_SCALE,
        zero_bits=element.bits if zero else 0,
    )


def scaled_as_whole(element: Format) -> WeightFormat:
    """Return a number format with one FP32 scale for a tensor."""
    return WeightFormat(element, tensor_bits=_FP32_BITS)


def parse_weight_format(value: Any) -> WeightFormat:
    """Return the number format of a name such as ``fp8`` or ``int4:128``.

    Raises
    ------
    ValueError
        If there is no such format.
    """
    if isinstance(value, WeightFormat):
        return value
    text = str(value)
    if text in NAMED:
        return NAMED[text]
    element, *rest = text.split(":")
    if element not in set(Format) or not isinstance(value, str):
        raise ValueError(f"must be {_KNOWN}")
    if not rest:
        return WeightFormat(Format(element))
    zero = rest[1:] == [_ZERO]
    if len(rest) - zero != 1 or element not in _SCALED:
        raise ValueError(f"must be {_KNOWN}")
    if rest[0] == _TENSOR and not zero:
        return scaled_as_whole(Format(element))
    if rest[0] == _ROW:
        return grouped(Format(element), 0, zero=zero)
    sides = rest[0].split("x")
    whole = all(s.isascii() and s.isdecimal() and 0 < int(s) <= _MOST for s in sides)
    if not whole or len(sides) > 2:  # noqa: PLR2004
        raise ValueError(f"must be {_KNOWN}")
    outputs, inputs = map(int, (["1", *sides])[-2:])
    return grouped(Format(element), inputs, outputs=outputs, zero=zero)


WeightFormatField = Annotated[
    WeightFormat, BeforeValidator(parse_weight_format), PlainSerializer(str)
]


def _touched(first: Ints, last: Ints, size: int) -> Ints:
    """Return the blocks of `size` that ranges touch; one block is all if 0."""
    if size == 0:
        return 1 * (last > first)
    return -(-last // size) - first // size


def _whole_bytes(bits: Ints) -> Ints:
    """Return bits as whole bytes, rounded up."""
    return -(-bits // BITS_PER_BYTE)


class FormatsSpec(Spec):
    """Number formats of weights, activations and the KV cache.

    Weights have those of the checkpoint instead if the model's config says that it is
    quantised, and so has the KV cache.
    """

    weights: WeightFormatField
    activations: Format
    kv_cache: Format

    @property
    def plain_weights(self) -> Format:
        """Return the format of the weights of a workload that is no model.

        Raises
        ------
        SpecError
            If it has scales, which only matrices of models are counted with.
        """
        if self.weights.scaled:
            raise SpecError(
                f"formats.weights = {self.weights}: weights of a workload's graph have "
                f"no scales; use formats.weights={self.weights.element.value}, or a "
                "model"
            )
        return self.weights.element
