"""A matrix product of any shape on the MXM: the tiles of its weights, and their time.

The matrix unit multiplies a row of K elements by an installed tile of K x `lanes`
weights in a cycle, K being `lanes` for operands of one byte and half of that for two,
and does as many of these at once as its rate allows: four, or two (isca22, section 5).
What of a tile the operand does not fill is lost. While one set of tiles multiplies, the
next one is loaded.
"""

from typing import NamedTuple

from specs.machine import ChipSpec
from specs.units import ceil_div

# Partial sums leave the matrix unit in FP32 or INT32.
_SUM_BYTES = 4


class Tiling(NamedTuple):
    """How operands are cut for the matrix unit.

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
        """Return the tiles that cover weights of `inner` x `columns`."""
        return ceil_div(inner, self.depth) * ceil_div(columns, self.width)


class TileSets(NamedTuple):
    """The weights of a product as sets of tiles that multiply at once.

    Attributes
    ----------
    sets
        Sets, one after the other; the weights are spread evenly over them.
    fed_bytes
        Bytes of all weights as they enter the matrix unit.
    operand_bytes, sum_bytes
        Bytes that pass on streams for each row of the vectors: operands, once more for
        every column of tiles, and the sums of every tile.
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
    """Return the most multiply-accumulates in a cycle.

    It is at operands of `operand_bytes`; of `chip.operand_bytes` if None.
    """
    fp16 = (operand_bytes or chip.operand_bytes) > 1
    return chip.mxm_fp16_macs_per_cycle if fp16 else chip.mxm_int8_macs_per_cycle


def tiling(chip: ChipSpec, operand_bytes: int | None = None) -> Tiling:
    """Return how the matrix unit cuts operands, of `chip.operand_bytes` if None."""
    depth = max(1, chip.lanes // (operand_bytes or chip.operand_bytes))
    macs = mxm_macs_per_cycle(chip, operand_bytes)
    return Tiling(depth, chip.lanes, max(1, macs // (depth * chip.lanes)))


def tile_sets(
    chip: ChipSpec, operand_bytes: int, *, inner: int, columns: int, matrices: int
) -> TileSets:
    """Return the sets of tiles of `matrices` times `inner` x `columns` weights."""
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
    """Return the cycles of a product in tiles, but for the fill of the pipeline.

    Tiles take a cycle a row, full or not; the first set must be loaded before anything
    is multiplied, and the last has all its rows to multiply once it is loaded. Operands
    and sums must pass on the streams.

    Parameters
    ----------
    chip
        The processor.
    tiles
        The weights.
    rows
        Vectors that each weight is multiplied with.
    stored_bytes
        Bytes of the weights in SRAM.
    preloaded_bytes
        Bytes, as they are fed, that were loaded ahead.
    """
    feed = chip.weight_feed_bytes_per_cycle
    first_bytes = max(0, tiles.set_bytes - preloaded_bytes)
    # The fill holds the way of the first row through the matrix unit.
    first = ceil_div(first_bytes, feed) + tiles.sets * rows - 1
    last = ceil_div(tiles.fed_bytes - preloaded_bytes, feed) + rows - 1
    passing = stored_bytes + rows * (tiles.operand_bytes + tiles.sum_bytes)
    return max(first, last, ceil_div(passing, chip.stream_bytes_per_cycle))
