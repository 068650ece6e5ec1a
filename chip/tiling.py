"""A matrix product of any shape on the MXM: the tiles of its weights, and its time.

The matrix unit multiplies a row of K elements by an installed tile of K x `lanes`
weights in a cycle, K being `lanes` for operands of one byte and half of that for two,
and does as many of these at once as its rate allows: four, or two (isca22, section 5).
What of a tile the operand does not fill is lost. While one set of tiles multiplies, the
next one is loaded.
"""

from typing import NamedTuple

from chip.timing import matmul_cycles, mxm_macs_per_cycle
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


def tiling(chip: ChipSpec) -> Tiling:
    """Return how the matrix unit cuts operands of `chip.operand_bytes`."""
    depth = max(1, chip.lanes // chip.operand_bytes)
    macs = mxm_macs_per_cycle(chip)
    return Tiling(depth, chip.lanes, max(1, macs // (depth * chip.lanes)))


def product_cycles(
    chip: ChipSpec,
    *,
    rows: int,
    inner: int,
    columns: int,
    stored_bytes: int,
    matrices: int = 1,
) -> int:
    """Return the cycles of ``[rows x inner] x [inner x columns]``.

    With one row it is `chip.timing.matmul_cycles`, which waits for weights, and never
    less with more. Tiles take a cycle a row, full or not; the first set must be loaded
    before anything is multiplied, and the last has all its rows to multiply once it is
    loaded. Operands and sums must pass on the streams.

    Parameters
    ----------
    chip
        The processor.
    rows, inner, columns
        Shape of the product; the second operand is installed.
    stored_bytes
        Bytes of the second operands in SRAM, all of them.
    matrices
        Products of this shape, each with weights of its own.

    Returns
    -------
    int
        Cycles, or 0 if there is nothing to multiply.
    """
    weights = matrices * inner * columns
    if weights * rows == 0:
        return 0
    cut = tiling(chip)
    full = matmul_cycles(chip, weights=weights, stored_bytes=stored_bytes, batch=rows)
    passes = ceil_div(matrices * cut.tiles(inner, columns), cut.at_once)
    feed = chip.weight_feed_bytes_per_cycle
    fed_bytes = weights * chip.operand_bytes
    # The fill holds the way of the first row through the matrix unit.
    first = ceil_div(fed_bytes, passes * feed) + passes * rows - 1
    last = ceil_div(fed_bytes, feed) + rows - 1
    passed = ceil_div(
        stored_bytes
        + matrices * rows * streamed_bytes(chip, inner=inner, columns=columns),
        chip.stream_bytes_per_cycle,
    )
    return max(full, chip.matmul_fill_cycles + max(first, last, passed))


def streamed_bytes(chip: ChipSpec, *, inner: int, columns: int) -> int:
    """Return the bytes that pass on streams for each row: operands, and sums.

    Every column of tiles takes the row once more, and every tile gives its sums.
    """
    cut = tiling(chip)
    across = ceil_div(columns, cut.width)
    down = ceil_div(inner, cut.depth)
    return inner * chip.operand_bytes * across + columns * _SUM_BYTES * down
