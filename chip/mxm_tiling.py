"""Tiling of a matrix product of any shape on the MXM, and the cycles of its tiles.

In a cycle the matrix unit multiplies a row of K elements by an installed tile of
K x `lanes` weights. K is `lanes` for operands of one byte and half of that for two. As
many tiles multiply at once as the rate allows: four, or two (isca22, section 5). The
part of a tile that the operand does not fill is unused. While one set of tiles
multiplies, the next one is loaded.
"""

from typing import NamedTuple

from specs.machine import ChipSpec
from specs.units import ceil_div

# Partial sums leave the matrix unit in FP32 or INT32.
_SUM_BYTES = 4


class Tiling(NamedTuple):
    """Tile size of the matrix unit.

    Attributes
    ----------
    depth, width
        Rows and columns of a tile of weights.
    at_once
        Tiles that multiply at the same time.
    """

    depth: int
    width: int
    at_once: int

    def tiles(self, inner: int, columns: int) -> int:
        """Return the number of tiles that cover weights of `inner` x `columns`."""
        return ceil_div(inner, self.depth) * ceil_div(columns, self.width)


class TileSets(NamedTuple):
    """Sets of tiles that multiply at once, of the weights of a product.

    Attributes
    ----------
    sets
        Number of sets, one after the other; the weights are spread evenly over them.
    fed_bytes
        Bytes of all weights as they enter the matrix unit.
    operand_bytes, sum_bytes
        Bytes on the streams for each row of the vectors: operands, repeated for every
        column of tiles, and the partial sums of every tile.
    """

    sets: int
    fed_bytes: int
    operand_bytes: int
    sum_bytes: int

    @property
    def set_bytes(self) -> int:
        """Return the bytes of the largest set."""
        return ceil_div(self.fed_bytes, self.sets)


def mxm_macs_per_cycle(chip: ChipSpec, operand_bytes: int | None = None) -> int:
    """Return the peak multiply-accumulates of a chip's MXM in a cycle.

    Operands have `operand_bytes`, or `chip.operand_bytes` if that is None.
    """
    fp16 = (operand_bytes or chip.operand_bytes) > 1
    return chip.mxm_fp16_macs_per_cycle if fp16 else chip.mxm_int8_macs_per_cycle


def tiling(chip: ChipSpec, operand_bytes: int | None = None) -> Tiling:
    """Return the MXM tile size for operands of `operand_bytes`, the chip's if None."""
    depth = max(1, chip.lanes // (operand_bytes or chip.operand_bytes))
    macs = mxm_macs_per_cycle(chip, operand_bytes)
    return Tiling(depth, chip.lanes, max(1, macs // (depth * chip.lanes)))


def tile_sets(
    chip: ChipSpec, operand_bytes: int, *, inner: int, columns: int, matrices: int
) -> TileSets:
    """Return a chip's sets of tiles of `matrices` times `inner` x `columns` weights."""
    cut = tiling(chip, operand_bytes)
    across, down = ceil_div(columns, cut.width), ceil_div(inner, cut.depth)
    return TileSets(
        sets=ceil_div(matrices * cut.tiles(inner, columns), cut.at_once),
        fed_bytes=matrices * inner * columns * operand_bytes,
        operand_bytes=matrices * inner * operand_bytes * across,
        sum_bytes=matrices * columns * _SUM_BYTES * down,
    )


def tile_cycles(
    chip: ChipSpec,
    tiles: TileSets,
    *,
    rows: int,
    stored_bytes: int,
    preloaded_bytes: int = 0,
) -> int:
    """Return a chip's cycles of a tiled product without the fill of the pipeline.

    It is the largest of three bounds. A set takes a cycle a row, full or not, after the
    first set is loaded. The last set multiplies all its rows after it is loaded.
    Operands and partial sums must pass on the streams.

    Parameters
    ----------
    chip
        The processor.
    tiles
        Sets of tiles of the weights.
    rows
        Vectors that each weight is multiplied with.
    stored_bytes
        Bytes of the weights in SRAM.
    preloaded_bytes
        Bytes, as they are fed, that were loaded ahead.
    """
    feed = chip.weight_feed_bytes_per_cycle
    first_bytes = max(0, tiles.set_bytes - preloaded_bytes)
    # The fill includes the latency of the first row through the matrix unit.
    first = ceil_div(first_bytes, feed) + tiles.sets * rows - 1
    last = ceil_div(tiles.fed_bytes - preloaded_bytes, feed) + rows - 1
    passing = stored_bytes + rows * (tiles.operand_bytes + tiles.sum_bytes)
    return max(first, last, ceil_div(passing, chip.stream_bytes_per_cycle))
