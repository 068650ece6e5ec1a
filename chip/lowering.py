"""From an operator on one chip to instructions of its slices, in time.

The length of an operator is what `chip.timing` says: resource bounds and fill. Here its
data flows from slice to slice within that length: what is read streams to the MXM or
VXM and back to SRAM, each step a part of the fill behind the one before. Only the whole
fill is known; that its parts are equal is assumed.
"""

from typing import NamedTuple

from chip.slices import Port, SliceInstruction, Step
from chip.timing import (
    FILL_STEPS,
    chains_of,
    feed_bytes_per_cycle,
    load_cycles,
    operand_streams,
    work_cycles,
)
from chip.work import Chain, Load, Lookup, Product, Work
from specs.machine import ChipSpec
from specs.units import BITS_PER_BYTE, ceil_div

# Parts of a chain's fill: to the SXM, to the VXM, to the SXM, to SRAM.
_CHAIN_STEPS = 4


def lower(chip: ChipSpec, work: Work) -> tuple[SliceInstruction, ...]:
    """Return the slice instructions of `work`, cycles counted from its start.

    The last one ends when the operator does; those of a load when the last bytes are
    in the buffers.
    """
    if isinstance(work, Product):
        return _product(chip, work)
    if isinstance(work, Chain):
        return _chain(chip, work)
    if isinstance(work, Load):
        return _load(chip, work)
    return _lookup(chip, work)


def streaming_cycles(chip: ChipSpec, work: Product) -> int:
    """Return for how long a product reads its matrix, from its start."""
    return work_cycles(chip, work) - chip.matmul_fill_cycles


def _streams(chip: ChipSpec, size: int, cycles: int) -> int:
    """Return how many streams carry `size` bytes in so many cycles."""
    return ceil_div(size, chip.lanes * cycles)


class _When(NamedTuple):
    start: int
    cycles: int


def _step(
    port: Port,
    step: Step,
    when: _When,
    *,
    size: int,
    units: int = 1,
    first: int = 0,
    streams: int = 0,
    macs: int = 0,
    bank: int = -1,
) -> SliceInstruction:
    """Return an instruction; of the streams that it feeds, half go east."""
    return SliceInstruction(
        port=port,
        step=step,
        first=first,
        units=units,
        start_cycle=when.start,
        duration_cycles=when.cycles,
        east=streams - streams // 2,
        west=streams // 2,
        bytes=size,
        macs=macs,
        bank=bank,
    )


def _read(
    chip: ChipSpec, size: int, when: _When, *, first: int = 0, step: Step = Step.READ
) -> SliceInstruction:
    """Return a read of whole streams, a slice for each."""
    count = _streams(chip, size, when.cycles)
    return _step(
        Port.MEM_READ,
        step,
        when,
        size=size,
        units=count,
        first=first,
        streams=count,
        bank=0,
    )


def _write(
    chip: ChipSpec, size: int, when: _When, *, first: int = 0
) -> SliceInstruction:
    """Return a write of what comes on streams, to the other bank than is read."""
    count = _streams(chip, size, when.cycles)
    return _step(
        Port.MEM_WRITE,
        Step.WRITE,
        when,
        size=size,
        units=count,
        first=first if first + count <= chip.mem_slices else 0,
        bank=1,
    )


def _product(chip: ChipSpec, work: Product) -> tuple[SliceInstruction, ...]:
    fill, planes = chip.matmul_fill_cycles, chip.mxm_planes
    length = streaming_cycles(chip, work)
    part = fill // FILL_STEPS
    # What is between load and installation must have its place in the buffers.
    lag = min(part, chip.mxm_buffer_bytes // feed_bytes_per_cycle(chip))
    installed = part + lag
    drain = length + fill - installed - 3 * part
    rest = work.fed_bytes - work.preloaded_bytes
    weights = _read(chip, work.streamed_bytes, _When(0, length))
    vectors = _When(0, length + installed)
    inputs = _read(chip, work.input_bytes, vectors, first=weights.units)
    steps = (
        weights,
        inputs,
        _step(Port.MXM_LOAD, Step.LOAD, _When(part, length), size=rest, units=planes),
        # Out of the buffers before what follows arrives there.
        _step(
            Port.MXM_INSTALL,
            Step.INSTALL,
            _When(0, part),
            size=work.preloaded_bytes,
            units=planes,
        ),
        _step(
            Port.MXM_INSTALL,
            Step.INSTALL,
            _When(installed, length),
            size=rest,
            units=planes,
        ),
        _step(
            Port.MXM_MULTIPLY,
            Step.MULTIPLY,
            _When(installed + part, length),
            size=work.input_bytes,
            units=planes,
            macs=work.macs,
        ),
        _step(
            Port.MXM_ACCUMULATE,
            Step.ACCUMULATE,
            _When(installed + 2 * part, drain),
            size=work.output_bytes,
            units=planes,
            streams=_streams(chip, work.output_bytes, drain),
        ),
        _write(
            chip,
            work.output_bytes,
            _When(installed + 3 * part, drain),
            first=weights.units + inputs.units,
        ),
    )
    return tuple(step for step in steps if step.bytes)


def _load(chip: ChipSpec, work: Load) -> tuple[SliceInstruction, ...]:
    cycles = load_cycles(chip, work)
    arrives = _When(chip.matmul_fill_cycles // FILL_STEPS, cycles)
    return (
        _read(chip, work.stored_bytes, _When(0, cycles)),
        _step(
            Port.MXM_LOAD,
            Step.LOAD,
            arrives,
            size=work.fed_bytes,
            units=chip.mxm_planes,
        ),
    )


def _chain(chip: ChipSpec, work: Chain) -> tuple[SliceInstruction, ...]:
    fill = chip.vector_fill_cycles
    chains = chains_of(chip, work.operations, operand_streams(work))
    cycles = ceil_div(work.elements, chip.lanes) * chains
    part = fill // _CHAIN_STEPS
    steps = []
    for number in range(work.passes):
        start = number * (fill + cycles)
        read = _read(chip, work.operand_bytes, _When(start, cycles))
        steps.append(read)
        if work.reorders:
            steps.append(
                _step(
                    Port.SXM,
                    Step.PERMUTE,
                    _When(start + part, cycles),
                    size=work.operand_bytes,
                )
            )
        steps.append(
            _step(
                Port.VXM,
                Step.CHAIN,
                _When(start + 2 * part, cycles),
                size=work.operand_bytes,
                streams=ceil_div(work.element_bits, BITS_PER_BYTE),
            )
        )
        if work.reorders:
            steps.append(
                _step(
                    Port.SXM,
                    Step.TRANSPOSE,
                    _When(start + 3 * part, cycles),
                    size=work.result_bytes,
                    first=1,
                )
            )
        ends = _When(start + fill, cycles)
        steps.append(_write(chip, work.result_bytes, ends, first=read.units))
    return tuple(steps)


def _lookup(chip: ChipSpec, work: Lookup) -> tuple[SliceInstruction, ...]:
    fill = chip.vector_fill_cycles
    cycles = work_cycles(chip, work) - fill
    read = _read(chip, work.stored_bytes, _When(0, cycles), step=Step.GATHER)
    return read, _write(chip, work.stored_bytes, _When(fill, cycles))
