"""Cycles of an operator on one chip: the tightest resource bound plus pipeline fill.

Every constant is a `ChipSpec` number with its source; nothing here is fitted.
"""

from chip.matmul_cycles import matmul_cycles, product_cycles, read_bytes_per_cycle
from chip.operator_work import LoadWork, ProductWork, VectorWork, Work
from specs.machine import ChipSpec
from specs.units import BITS_PER_BYTE, ceil_div

FILL_STEPS = 6
"""Parts of a product's fill: read, load, install, multiply, accumulate, write."""
# Streams kept free of a vector operator's operands, beside the weights that are loaded
# meanwhile: for its results, for the vectors of a product and for the ports. They carry
# two FP16 vectors in each direction.
_RESERVED_STREAMS = 8


def work_cycles(chip: ChipSpec, work: Work) -> int:
    """Return a chip's cycles of `work`, 0 if it is empty."""
    if isinstance(work, ProductWork):
        return _product_cycles(chip, work)
    if isinstance(work, VectorWork):
        return vector_cycles(
            chip,
            elements=work.elements,
            operations=work.operations,
            passes=work.passes,
            operand_streams=operand_streams(work),
        )
    if isinstance(work, LoadWork):
        return load_cycles(chip, work)
    return lookup_cycles(chip, stored_bytes=work.stored_bytes)


def _product_cycles(chip: ChipSpec, work: ProductWork) -> int:
    """Return a chip's cycles of a product and its chain, tiled if of known shape."""
    beside = work.chain.read_bytes if work.chain else 0
    vector_bytes = (
        work.input_bytes + max(work.output_bytes, work.written_bytes) + beside
    )
    if work.shape is None:
        cycles = matmul_cycles(
            chip,
            weights=work.weights,
            stored_bytes=work.stored_bytes,
            batch=work.batch,
            operand_bytes=work.operand_bytes,
            preloaded_bytes=work.preloaded_bytes,
            masked_macs=work.masked_macs,
            vector_bytes=vector_bytes,
        )
    else:
        cycles = product_cycles(
            chip,
            rows=work.batch,
            inner=work.shape.inner,
            columns=work.shape.columns,
            matrices=work.shape.matrices,
            stored_bytes=work.stored_bytes,
            operand_bytes=work.operand_bytes,
            preloaded_bytes=work.preloaded_bytes,
            vector_bytes=vector_bytes,
        )
    if work.chain is None or cycles == 0:
        return cycles
    # The fill includes the latency of results through the VXM to memory. Only a chain
    # slower than the rate of the results makes the product longer.
    chains = chains_of(chip, work.chain.operations, operand_streams(work.chain))
    chain_cycles = ceil_div(work.chain.elements, chip.lanes) * chains
    return max(cycles, chip.matmul_fill_cycles + chain_cycles)


def least_cycles(chip: ChipSpec, work: Work) -> int:
    """Return a chip's cycles of `work` with the longest possible weight prefetch."""
    if isinstance(work, ProductWork) and (most := most_preload_cycles(chip, work)):
        return work_cycles(chip, preloaded(chip, work, most))
    return work_cycles(chip, work)


def feed_bytes_per_cycle(chip: ChipSpec) -> int:
    """Return a chip's weight feed rate: the slowest of reading, carrying, feeding."""
    return min(
        chip.weight_feed_bytes_per_cycle,
        chip.stream_bytes_per_cycle,
        read_bytes_per_cycle(chip),
    )


def most_preload_cycles(chip: ChipSpec, work: ProductWork) -> int:
    """Return the cycles for which a chip's prefetch can load the matrix of `work`.

    The weight buffers have a capacity. Weights that are not yet in SRAM, or lie at an
    address that is not yet computed, cannot be loaded. Prefetch gains nothing once the
    feed is no longer the bound.
    """
    if not chip.prefetch or chip.matmul_fill_cycles < FILL_STEPS:
        return 0
    whole = work._replace(preloaded_bytes=work.fed_bytes)
    gain = work_cycles(chip, work) - work_cycles(chip, whole)
    room = min(work.ready_bytes, chip.mxm_buffer_bytes) // feed_bytes_per_cycle(chip)
    return min(gain, room)


def preloaded(chip: ChipSpec, work: ProductWork, cycles: int) -> ProductWork:
    """Return `work` after a weight prefetch of `cycles` cycles on a chip."""
    size = min(work.fed_bytes, cycles * feed_bytes_per_cycle(chip))
    return work._replace(preloaded_bytes=size)


def load_cycles(chip: ChipSpec, work: LoadWork) -> int:
    """Return the cycles for which a load reads from a chip's SRAM."""
    return ceil_div(work.fed_bytes, feed_bytes_per_cycle(chip))


def operand_streams(work: VectorWork) -> int:
    """Return the number of a chip's streams that carry all operands at once."""
    return ceil_div(work.operands * work.element_bits, BITS_PER_BYTE)


def chains_of(chip: ChipSpec, operations: int, streams: int) -> int:
    """Return the number of a chip's VXM chains that each element passes in one pass.

    Parameters
    ----------
    chip
        The processor.
    operations
        Operations on each element, of which `chip.vxm_alus` are chained.
    streams
        Streams of all operands. Half the chip's streams can be read at once, or all
        but those of weights, results and ports.
    """
    available = chip.stream_bytes_per_cycle // chip.lanes
    loading = ceil_div(feed_bytes_per_cycle(chip), chip.lanes)
    at_once = max(1, available // 2, available - loading - _RESERVED_STREAMS)
    return max(ceil_div(operations, chip.vxm_alus), ceil_div(streams, at_once))


def vector_cycles(
    chip: ChipSpec,
    *,
    elements: int,
    operations: int = 1,
    passes: int = 1,
    operand_streams: int = 0,
) -> int:
    """Return a chip's cycles of an element-wise operator or reduction on the VXM.

    One pass sends the operand through a chain of up to `chip.vxm_alus` operations,
    `chip.lanes` elements a cycle. A further pass starts when the one before has ended:
    a softmax needs its largest score before it can subtract it.

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
    operand_streams
        Streams of all operands if they are read at the same time; those beyond what
        `chains_of` allows are read one after the other.

    Returns
    -------
    int
        Cycles, or 0 if there are no elements.
    """
    if elements == 0:
        return 0
    chains = chains_of(chip, operations, operand_streams)
    return passes * (chip.vector_fill_cycles + ceil_div(elements, chip.lanes) * chains)


def lookup_cycles(chip: ChipSpec, *, stored_bytes: int) -> int:
    """Return a chip's cycles of a look-up in SRAM at an address just computed."""
    if stored_bytes == 0:
        return 0
    read = min(chip.stream_bytes_per_cycle, chip.mem_slices * chip.lanes)
    return chip.vector_fill_cycles + ceil_div(stored_bytes, read)
