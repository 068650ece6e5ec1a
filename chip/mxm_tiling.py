"""Tiling of a matrix product on the MXM: tiles, rounds of them, and both of its modes.

A tile is a matrix of `lanes` x `lanes` weights. Matrices are padded to whole tiles in
both dimensions. In INT8 mode each plane of the MXM multiplies a tile of its own, one
row of vectors a cycle; in FP16 mode a tile takes two byte planes and a row two cycles
(isca20). The tiles that multiply at the same time are a round.
"""

from typing import NamedTuple

from chip.operator_work import Shape
from specs.chip import ChipSpec
from specs.units import ceil_div

# The MXM has no wider operands than FP16; wider ones are rounded before it.
_MOST_OPERAND_BYTES = 2


class Tiling(NamedTuple):
    """Mode of the matrix unit.

    Attributes
    ----------
    side
        Rows and columns of a tile.
    at_once
        Tiles of a round.
    row_cycles
        Cycles in which a round multiplies a row.
    """

    side: int
    at_once: int
    row_cycles: int

    def tiles(self, shape: Shape) -> int:
        """Return the number of tiles that cover all matrices of `shape`.

        Each part of the inputs and of the results is padded: their vectors begin at the
        first lane.
        """
        deep = sum(ceil_div(length, self.side) for length in shape.inner)
        wide = sum(ceil_div(length, self.side) for length in shape.columns)
        return shape.matrices * deep * wide

    def rounds(self, shape: Shape) -> int:
        """Return the number of rounds of all matrices of `shape`."""
        return ceil_div(self.tiles(shape), self.at_once)


def mxm_macs_per_cycle(chip: ChipSpec, operand_bytes: int) -> int:
    """Return a chip's peak multiply-accumulates in the mode of `operand_bytes`."""
    wide = operand_bytes > 1
    return chip.mxm_fp16_macs_per_cycle if wide else chip.mxm_int8_macs_per_cycle


def tiling(chip: ChipSpec, operand_bytes: int) -> Tiling:
    """Return the mode of a chip's MXM for operands of `operand_bytes`, the wider."""
    planes = min(operand_bytes, _MOST_OPERAND_BYTES)
    at_once = max(1, chip.mxm_planes // planes)
    elements = at_once * chip.lanes * chip.lanes
    macs = mxm_macs_per_cycle(chip, operand_bytes)
    return Tiling(chip.lanes, at_once, ceil_div(elements, macs))


def mode_bytes(chip: ChipSpec, *operand_bytes: int) -> int:
    """Return the mode of a chip's product: bytes of its wider operand, or a setting.

    Parameters
    ----------
    chip
        The processor; its setting `operand_bytes` overrides the operands if a number.
    operand_bytes
        Bytes of an element of each operand, whole.
    """
    if chip.operand_bytes != "auto":
        return chip.operand_bytes
    return min(_MOST_OPERAND_BYTES, max(operand_bytes))
