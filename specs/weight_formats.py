"""Number formats of stored weights, with the scales of blocks.

An element of a block-scaled format is multiplied by the scale of its block. A matrix
has output features as rows, as in checkpoints, so that a block of 32 inputs is 1 x 32.

- MXFP4 and MXFP8: 4 or 8 bits, and an 8-bit power of two for 32 inputs [mx].
- NVFP4: 4 bits, an FP8 scale for 16 inputs, and one FP32 number for a tensor [nvfp4].
- ``int4:128``: 4 bits and an FP16 scale for a group of 128 inputs; ``int4:128:zero``
  with a zero of 4 bits for the group besides, as AWQ and GPTQ store [awq, gptq].
- ``fp8:128x128``: 8 bits and an FP32 scale for 128 outputs x 128 inputs [deepseek].
- ``int8:row`` has an FP16 scale for all inputs of an output, ``fp8:tensor`` one FP32
  scale for all.
- ``fp4:64:fp32``: 4 bits and an FP32 scale for a group, as bitsandbytes stores NF4 and
  FP4; in ``fp4:64:double`` scales have 8 bits, and an FP32 number for 256 of them and
  another for the tensor [bitsandbytes].
"""

from dataclasses import dataclass
from typing import Annotated, Any, final

import numpy as np
from pydantic import BeforeValidator, PlainSerializer

from specs.arrays import Ints
from specs.formats import Format
from specs.units import BITS_PER_BYTE

_BITS_OF_SCALE = 16
_FP32_BITS = 32
# More inputs than any matrix has; a group of them is a mistake.
_MOST = 1 << 24
_BYTE_BITS = 8
# Scales of 8 bits that share an FP32 number where they are quantised themselves.
SCALES_OF_SCALE = 256
_ROW, _TENSOR, _ZERO = "row", "tensor", "zero"
_FP32, _DOUBLE = "fp32", "double"
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
    double
        Whether 256 scales share an FP32 number of their own.
    """

    element: Format
    block_rows: int = 1
    block_columns: int = 1
    scale_bits: int = 0
    zero_bits: int = 0
    tensor_bits: int = 0
    double: bool = False

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
        shared = _FP32_BITS / SCALES_OF_SCALE if self.double else 0.0
        beside = (self.scale_bits + self.zero_bits + shared) / area if area else 0.0
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
        if self.double:
            # Those of a slice are counted from its first scale on.
            size += _whole_bytes(-(-blocks // SCALES_OF_SCALE) * _FP32_BITS)
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
        suffix = ""
        if self.zero_bits:
            suffix = f":{_ZERO}"
        elif self.double:
            suffix = f":{_DOUBLE}"
        elif self.block_rows == 1 and self.scale_bits == _FP32_BITS:
            suffix = f":{_FP32}"
        return f"{self.element.value}:{block}{suffix}"


NAMED = {
    "mxfp4": WeightFormat(Format.FP4, block_columns=32, scale_bits=8),
    "mxfp8": WeightFormat(Format.FP8, block_columns=32, scale_bits=8),
    "nvfp4": WeightFormat(
        Format.FP4, block_columns=16, scale_bits=8, tensor_bits=_FP32_BITS
    ),
}
_KNOWN = (
    f"{', '.join([*Format, *NAMED])}, or one with a scale for a block of weights such "
    "as int4:128, int4:128:zero, fp8:128x128, int8:row, fp8:tensor or fp4:64:fp32"
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


def scaled_by_fp32(
    element: Format, inputs: int, *, double: bool = False
) -> WeightFormat:
    """Return a number format with an FP32 scale for each group of so many inputs.

    Parameters
    ----------
    element
        Format of an element.
    inputs
        Inputs that share a scale, 0 for all.
    double
        Whether scales are quantised themselves: to 8 bits, an FP32 number for 256 of
        them, and one for the tensor.
    """
    return WeightFormat(
        element,
        block_columns=inputs,
        scale_bits=_BYTE_BITS if double else _FP32_BITS,
        tensor_bits=_FP32_BITS if double else 0,
        double=double,
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
    block, *suffix = rest
    if element not in _SCALED or suffix not in ([], [_ZERO], [_FP32], [_DOUBLE]):
        raise ValueError(f"must be {_KNOWN}")
    if block == _TENSOR and not suffix:
        return scaled_as_whole(Format(element))
    sides = [str(_MOST)] if block == _ROW else block.split("x")
    whole = all(s.isascii() and s.isdecimal() and 0 < int(s) <= _MOST for s in sides)
    if not whole or len(sides) > 2:  # noqa: PLR2004
        raise ValueError(f"must be {_KNOWN}")
    outputs, inputs = map(int, (["1", *sides])[-2:])
    if block == _ROW:
        inputs = 0
    if suffix in ([_FP32], [_DOUBLE]):
        if outputs > 1:
            raise ValueError(f"must be {_KNOWN}")
        return scaled_by_fp32(Format(element), inputs, double=suffix == [_DOUBLE])
    return grouped(Format(element), inputs, outputs=outputs, zero=suffix == [_ZERO])


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
