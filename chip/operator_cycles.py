"""Cycles of an operator on one chip: rounds of tiles or vectors, plus pipeline fill.

Every constant is a `ChipSpec` number with its source; nothing here is fitted.
"""

from chip.operator_work import LoadWork, ProductWork, VectorWork, Work
from chip.product_rounds import (
    feed_bytes_per_cycle,
    load_round_cycles,
    round_stored_bytes,
    rounds_of,
    widens,
)
from specs.chip import ChipSpec
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
        return product_cycles(chip, work)
    if isinstance(work, VectorWork):
        return vector_cycles(chip, work)
    if isinstance(work, LoadWork):
        return load_cycles(work)
    return lookup_cycles(chip, stored_bytes=work.stored_bytes)


def product_cycles(chip: ChipSpec, work: ProductWork) -> int:
    """Return a chip's cycles of a product and its chain.

    The vectors of the chain follow the last round, so that they cost cycles of their
    own; their fill is that of the product (gapi).
    """
    length = streaming_cycles(chip, work)
    if length == 0:
        return 0
    return chip.matmul_fill_cycles + length + chain_cycles(chip, work)


def streaming_cycles(chip: ChipSpec, work: ProductWork) -> int:
    """Return a chip's cycles from a product's first load to its last row, 0 if empty.

    Input and output vectors have half of the streams, which bounds them from below.
    """
    if work.macs == 0:
        return 0
    vector_bytes = work.input_bytes + work.output_bytes
    passing = ceil_div(2 * vector_bytes, chip.stream_bytes_per_cycle)
    return max(rounds_of(chip, work).cycles, passing)


def chain_cycles(chip: ChipSpec, work: ProductWork) -> int:
    """Return a chip's cycles of the vector operator that a product's results pass."""
    if work.chain is None:
        return 0
    return work.chain.passes * pass_cycles(chip, work.chain)


def drain_cycles(chip: ChipSpec) -> int:
    """Return how long before a product's end the chip can start another one.

    The one drains while the other loads and installs its first round, which may have
    loaded ahead. Its results leave the MXM up to a step of the fill before its end, and
    those of the other from two steps after it has installed.
    """
    return chip.matmul_fill_cycles // FILL_STEPS * (FILL_STEPS - 3)


def least_cycles(chip: ChipSpec, work: Work) -> int:
    """Return a chip's cycles of `work` with the longest possible weight prefetch."""
    if isinstance(work, ProductWork) and (most := most_preload_rounds(chip, work)):
        return work_cycles(chip, preloaded(chip, work, most))
    return work_cycles(chip, work)


def most_preload_rounds(chip: ChipSpec, work: ProductWork) -> int:
    """Return the rounds that a chip's prefetch can load ahead of `work`.

    The weight buffers hold whole rounds. Weights that are not yet in SRAM, or lie at an
    address that is not yet computed, cannot be loaded. Prefetch gains nothing once the
    load of a round is hidden behind the round before it.
    """
    if not chip.prefetch or work.macs == 0:
        return 0
    room = min(work.ready_rounds, chip.mxm_buffer_bytes // chip.round_bytes)
    if chip.overlap_load and rounds_of(chip, work).load_cycles <= (
        rounds_of(chip, work).multiply_cycles
    ):
        room = min(room, 1)
    return room


def preloaded(chip: ChipSpec, work: ProductWork, rounds: int) -> ProductWork:
    """Return `work` after a chip's weight prefetch of its first `rounds` rounds."""
    return work._replace(
        preloaded_rounds=rounds,
        preloaded_bytes=round_stored_bytes(chip, work, rounds),
    )


def load_of(chip: ChipSpec, work: ProductWork, first: int, last: int) -> LoadWork:
    """Return the load of a range of a product's rounds on a chip, end exclusive."""
    return LoadWork(
        rounds=last - first,
        round_cycles=load_round_cycles(chip, work),
        stored_bytes=round_stored_bytes(chip, work, last)
        - round_stored_bytes(chip, work, first),
        widening=widens(chip, work),
    )


def load_cycles(work: LoadWork) -> int:
    """Return the cycles for which a load reads from SRAM."""
    return work.rounds * work.round_cycles


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
        Streams of all operands. All of the chip's streams can be read at once but
        those of weights, results and ports.
    """
    available = chip.stream_bytes_per_cycle // chip.lanes
    loading = ceil_div(feed_bytes_per_cycle(chip), chip.lanes)
    at_once = max(1, available - loading - _RESERVED_STREAMS)
    return max(ceil_div(operations, chip.vxm_alus), ceil_div(streams, at_once))


def pass_cycles(chip: ChipSpec, work: VectorWork) -> int:
    """Return a chip's cycles of one pass over all vectors, without fill.

    One pass sends the operand through a chain of up to `chip.vxm_alus` operations,
    `chip.lanes` elements a cycle. Each vector is padded to whole lanes. Operands beyond
    those that streams carry are read one after the other.
    """
    length = ceil_div(work.elements, work.vectors)
    padded = work.vectors * ceil_div(length, chip.lanes)
    return padded * chains_of(chip, work.operations, operand_streams(work))


def reduction_cycles(chip: ChipSpec, work: VectorWork) -> int:
    """Return a chip's cycles of one reduction over the lanes, 0 for a single lane.

    Lanes are independent ALUs: a sum shifts through the SXM and combines, in as many
    steps as the lanes can be halved (isca20).
    """
    lanes = min(chip.lanes, ceil_div(work.elements, work.vectors))
    return max(0, lanes - 1).bit_length() * chip.lane_step_cycles


def vector_cycles(chip: ChipSpec, work: VectorWork) -> int:
    """Return a chip's cycles of an element-wise operator or reduction on the VXM.

    A further pass starts when the one before has ended: a softmax needs its largest
    score before it can subtract it. It is 0 if there are no elements.
    """
    if work.elements == 0:
        return 0
    passes = work.passes * (chip.vector_fill_cycles + pass_cycles(chip, work))
    return passes + work.reductions * reduction_cycles(chip, work)


def lookup_cycles(chip: ChipSpec, *, stored_bytes: int) -> int:
    """Return a chip's cycles of a look-up in SRAM at an address just computed."""
    if stored_bytes == 0:
        return 0
    read = min(chip.stream_bytes_per_cycle, chip.mem_slices * chip.lanes)
    return chip.vector_fill_cycles + ceil_div(stored_bytes, read)
