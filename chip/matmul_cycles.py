"""Cycles of a matrix product on the MXM, streamed or in tiles.

Every constant is a `ChipSpec` number with its source; nothing here is fitted.
"""

from chip.mxm_tiling import mxm_macs_per_cycle, tile_cycles, tile_sets
from specs.machine import ChipSpec
from specs.units import ceil_div


def read_bytes_per_cycle(chip: ChipSpec) -> int:
    """Return the bytes a chip's product may read in a cycle: a stream from each slice.

    Matrix and vectors lie in separate slices, which costs two at worst.
    """
    return max(1, chip.mem_slices - 2) * chip.lanes


def matmul_cycles(
    chip: ChipSpec,
    *,
    weights: int,
    stored_bytes: int,
    batch: int = 1,
    operand_bytes: int | None = None,
    preloaded_bytes: int = 0,
    masked_macs: int = 0,
    vector_bytes: int = 0,
) -> int:
    """Return a chip's cycles of a matrix product whose weights stream through the MXM.

    The weights are read from SRAM, carried on streams, fed to the matrix unit, and
    multiplied; the slowest of these is the bound, to which the pipeline fill is added.

    Parameters
    ----------
    chip
        The processor.
    weights
        Elements of the weight matrix on this chip.
    stored_bytes
        Bytes they take in SRAM.
    batch
        Activation vectors multiplied with the weights while they are installed.
    operand_bytes
        Bytes of a weight as it is fed to the MXM; `chip.operand_bytes` if None.
    preloaded_bytes
        Bytes, as they are fed, that were loaded ahead and are only multiplied.
    masked_macs
        Multiply-accumulates that a causal mask omits.
    vector_bytes
        Bytes of the input and output vectors, which use half of the streams at most.

    Returns
    -------
    int
        Cycles, or 0 if there is nothing to multiply.
    """
    if weights == 0:
        return 0
    fed_bytes = weights * (operand_bytes or chip.operand_bytes)
    stored_bytes -= stored_bytes * preloaded_bytes // fed_bytes
    return chip.matmul_fill_cycles + max(
        ceil_div(fed_bytes - preloaded_bytes, chip.weight_feed_bytes_per_cycle),
        ceil_div(
            weights * batch - masked_macs, mxm_macs_per_cycle(chip, operand_bytes)
        ),
        ceil_div(stored_bytes, chip.sram_bytes_per_cycle),
        ceil_div(stored_bytes + vector_bytes, read_bytes_per_cycle(chip)),
        ceil_div(stored_bytes, chip.stream_bytes_per_cycle),
        ceil_div(2 * vector_bytes, chip.stream_bytes_per_cycle),
    )


def product_cycles(
    chip: ChipSpec,
    *,
    rows: int,
    inner: int,
    columns: int,
    stored_bytes: int,
    matrices: int = 1,
    operand_bytes: int | None = None,
    preloaded_bytes: int = 0,
    vector_bytes: int = 0,
) -> int:
    """Return a chip's cycles of a product ``[rows x inner] x [inner x columns]``.

    With one row it is `matmul_cycles`, since the matrix streams without a pause. With
    more rows it is at least that; `chip.mxm_tiling.tile_cycles` bounds the tiled form.

    Parameters
    ----------
    chip
        The processor.
    rows, inner, columns
        Shape of the product; the second operand is installed.
    stored_bytes
        Bytes of all second operands in SRAM.
    matrices
        Products of this shape, each with its own weights.
    operand_bytes, preloaded_bytes, vector_bytes
        As for `matmul_cycles`.

    Returns
    -------
    int
        Cycles, or 0 if there is nothing to multiply.
    """
    weights = matrices * inner * columns
    if weights * rows == 0:
        return 0
    streamed = matmul_cycles(
        chip,
        weights=weights,
        stored_bytes=stored_bytes,
        batch=rows,
        operand_bytes=operand_bytes,
        preloaded_bytes=preloaded_bytes,
        vector_bytes=vector_bytes,
    )
    if rows == 1:
        return streamed
    tiles = tile_sets(
        chip,
        operand_bytes or chip.operand_bytes,
        inner=inner,
        columns=columns,
        matrices=matrices,
    )
    tiled = tile_cycles(
        chip,
        tiles,
        rows=rows,
        stored_bytes=stored_bytes,
        preloaded_bytes=preloaded_bytes,
    )
    return max(streamed, chip.matmul_fill_cycles + tiled)
