"""How many cycles an operator takes on one chip: the tightest resource, plus the fill.

Every constant is a `ChipSpec` number with its source; nothing here is fitted.
"""

from specs.machine import ChipSpec
from specs.units import ceil_div


def matmul_cycles(
    chip: ChipSpec, *, weights: int, stored_bytes: int, batch: int = 1
) -> int:
    """Return the cycles of a matrix product whose weights stream through the MXM.

    The weights are read from SRAM, carried on streams, fed to the matrix unit at
    `chip.operand_bytes` each, and multiplied; the slowest of these decides.

    Parameters
    ----------
    chip
        The processor.
    weights
        Elements of the weight matrix on this chip.
    stored_bytes
        Bytes they take in SRAM.
    batch
        Activation vectors that use the weights while they are installed.

    Returns
    -------
    int
        Cycles, or 0 if there is nothing to multiply.
    """
    if weights == 0:
        return 0
    fp16 = chip.operand_bytes > 1
    macs = chip.mxm_fp16_macs_per_cycle if fp16 else chip.mxm_int8_macs_per_cycle
    return chip.matmul_fill_cycles + max(
        ceil_div(weights * chip.operand_bytes, chip.weight_feed_bytes_per_cycle),
        ceil_div(weights * batch, macs),
        ceil_div(stored_bytes, chip.sram_bytes_per_cycle),
        ceil_div(stored_bytes, chip.stream_bytes_per_cycle),
    )


def vector_cycles(
    chip: ChipSpec, *, elements: int, operations: int = 1, passes: int = 1
) -> int:
    """Return the cycles of an element-wise operator or reduction on the VXM.

    One pass sends the operand through a chain of up to `chip.vxm_alus` operations,
    `chip.lanes` elements a cycle. A further pass starts when the one before has ended,
    as a softmax must know its largest score before it can subtract it.

    Parameters
    ----------
    chip
        The processor.
    elements
        Elements of the operand.
    operations
        Operations on each element within one pass.
    passes
        Passes over the operand, one after the other.

    Returns
    -------
    int
        Cycles, or 0 if there are no elements.
    """
    if elements == 0:
        return 0
    chains = ceil_div(operations, chip.vxm_alus)
    return passes * (chip.vector_fill_cycles + ceil_div(elements, chip.lanes) * chains)


def lookup_cycles(chip: ChipSpec, *, stored_bytes: int) -> int:
    """Return the cycles to read from SRAM at an address that was just computed."""
    if stored_bytes == 0:
        return 0
    return chip.vector_fill_cycles + ceil_div(stored_bytes, chip.stream_bytes_per_cycle)
