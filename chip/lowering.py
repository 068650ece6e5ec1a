"""Lowering of an operator on one chip to timed instructions of its slices.

`chip.operator_cycles` gives the length of an operator: rounds or vectors, and fill.
Lowering schedules the data flow from slice to slice within that length. What is read
streams to the MXM or VXM and back to SRAM. Each step starts a part of the fill after
the one before. Only the whole fill is known; that its parts are equal is assumed.
"""

from chip.functional_units import SliceInstruction, SliceOperation, SlicePort
from chip.operator_cycles import (
    FILL_STEPS,
    pass_cycles,
    reduction_cycles,
    work_cycles,
)
from chip.operator_work import LoadWork, LookupWork, ProductWork, VectorWork, Work
from chip.product_lowering import lower_product
from chip.product_rounds import Repeat
from chip.slice_instructions import (
    SUM_BYTES,
    Interval,
    instruction,
    repeated,
    sram_read,
    sram_write,
)
from specs.chip import ChipSpec
from specs.units import BITS_PER_BYTE, ceil_div

# Parts of a vector operator's fill: to the SXM, to the VXM, to the SXM, to SRAM.
_VECTOR_FILL_STEPS = 4


def lower(chip: ChipSpec, work: Work) -> tuple[SliceInstruction, ...]:
    """Return the chip's slice instructions of `work`, cycles counted from its start.

    The last one ends when the operator ends. The last one of a load ends when the last
    bytes are in the buffers.
    """
    if isinstance(work, ProductWork):
        return lower_product(chip, work)
    if isinstance(work, VectorWork):
        return _lower_vector(chip, work)
    if isinstance(work, LoadWork):
        return _lower_load(chip, work)
    return _lower_lookup(chip, work)


def _lower_vector(chip: ChipSpec, work: VectorWork) -> tuple[SliceInstruction, ...]:
    """Return a chip's instructions of a vector operator, pass after pass."""
    fill = chip.vector_fill_cycles
    cycles, reduction = pass_cycles(chip, work), reduction_cycles(chip, work)
    part = fill // _VECTOR_FILL_STEPS
    steps, start = [], 0
    for number in range(work.passes):
        # What a pass finds is reduced before the next one reads it.
        own = work.reductions // work.passes
        own += number < work.reductions % work.passes
        read = sram_read(chip, work.operand_bytes, Interval(start, cycles))
        steps.append(read)
        if work.reorders:
            steps.append(
                instruction(
                    SlicePort.SXM,
                    SliceOperation.PERMUTE,
                    Interval(start + part, cycles),
                    size=work.operand_bytes,
                )
            )
        steps.append(
            instruction(
                SlicePort.VXM,
                SliceOperation.CHAIN,
                Interval(start + 2 * part, cycles),
                size=work.operand_bytes,
                streams=ceil_div(work.element_bits, BITS_PER_BYTE),
            )
        )
        if own * reduction:
            steps.append(
                instruction(
                    SlicePort.SXM,
                    SliceOperation.SHIFT,
                    Interval(start + 2 * part + cycles, own * reduction),
                    size=own * chip.lanes * SUM_BYTES,
                    streams=SUM_BYTES,
                )
            )
        if work.reorders:
            steps.append(
                instruction(
                    SlicePort.SXM,
                    SliceOperation.TRANSPOSE,
                    Interval(start + 3 * part, cycles),
                    size=work.result_bytes,
                    first=1,
                )
            )
        start += fill + own * reduction
        ends = Interval(start, cycles)
        steps.append(sram_write(chip, work.result_bytes, ends, first=read.units))
        start += cycles
    return tuple(steps)


def _lower_load(chip: ChipSpec, work: LoadWork) -> tuple[SliceInstruction, ...]:
    """Return a chip's instructions of a load into weight buffers: read and load."""
    repeat = Repeat(0, work.rounds, work.round_cycles)
    part = chip.matmul_fill_cycles // FILL_STEPS
    read = sram_read(
        chip,
        ceil_div(work.stored_bytes, work.rounds),
        Interval(0, work.round_cycles),
    )
    load = instruction(
        SlicePort.MXM_LOAD,
        SliceOperation.LOAD,
        Interval(part, work.round_cycles),
        size=0,
        units=chip.mxm_planes,
    )
    steps = [
        repeated(read, repeat, size=work.stored_bytes),
        repeated(load, repeat, size=work.rounds * chip.round_bytes),
    ]
    if work.widening:
        widen = load._replace(port=SlicePort.VXM, step=SliceOperation.WIDEN, units=1)
        steps.append(repeated(widen, repeat, size=work.stored_bytes))
    return tuple(steps)


def _lower_lookup(chip: ChipSpec, work: LookupWork) -> tuple[SliceInstruction, ...]:
    """Return a chip's instructions of a look-up: gather and write."""
    fill = chip.vector_fill_cycles
    cycles = work_cycles(chip, work) - fill
    read = sram_read(
        chip, work.stored_bytes, Interval(0, cycles), step=SliceOperation.GATHER
    )
    return read, sram_write(chip, work.stored_bytes, Interval(fill, cycles))
