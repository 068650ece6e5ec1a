"""From an operator on one chip to instructions of its slices, in time.

The length of an operator is what `chip.operator_cycles` says: resource bounds and fill.
Here its data flows from slice to slice within that length: what is read streams to the
MXM or VXM and back to SRAM, each step a part of the fill behind the one before. Only
the whole fill is known; that its parts are equal is assumed.
"""

from typing import NamedTuple

from chip.functional_units import SliceInstruction, SliceOperation, SlicePort
from chip.operator_cycles import (
    FILL_STEPS,
    chains_of,
    feed_bytes_per_cycle,
    load_cycles,
    operand_streams,
    work_cycles,
)
from chip.operator_work import LoadWork, LookupWork, ProductWork, VectorWork, Work
from chip.tile_schedule import Span, TileSchedule, one_stream, tile_schedule, tiles_of
from specs.machine import ChipSpec
from specs.units import BITS_PER_BYTE, ceil_div

# Parts of a chain's fill: to the SXM, to the VXM, to the SXM, to SRAM.
_CHAIN_STEPS = 4


def lower(chip: ChipSpec, work: Work) -> tuple[SliceInstruction, ...]:
    """Return the slice instructions of `work`, cycles counted from its start.

    The last one ends when the operator does; those of a load when the last bytes are
    in the buffers.
    """
    if isinstance(work, ProductWork):
        return _product(chip, work)
    if isinstance(work, VectorWork):
        return _chain(chip, work)
    if isinstance(work, LoadWork):
        return _load(chip, work)
    return _lookup(chip, work)


def streaming_cycles(chip: ChipSpec, work: ProductWork) -> int:
    """Return for how long a product reads its matrix, from its start."""
    return work_cycles(chip, work) - chip.matmul_fill_cycles


def _streams(chip: ChipSpec, size: int, cycles: int) -> int:
    """Return how many streams carry `size` bytes in so many cycles."""
    return ceil_div(size, chip.lanes * cycles)


class _When(NamedTuple):
    start: int
    cycles: int


def _step(
    port: SlicePort,
    step: SliceOperation,
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
    chip: ChipSpec,
    size: int,
    when: _When,
    *,
    first: int = 0,
    step: SliceOperation = SliceOperation.READ,
) -> SliceInstruction:
    """Return a read of whole streams, a slice for each."""
    count = _streams(chip, size, when.cycles)
    return _step(
        SlicePort.MEM_READ,
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
        SlicePort.MEM_WRITE,
        SliceOperation.WRITE,
        when,
        size=size,
        units=count,
        first=first if first + count <= chip.mem_slices else 0,
        bank=1,
    )


def _product(chip: ChipSpec, work: ProductWork) -> tuple[SliceInstruction, ...]:
    fill, planes = chip.matmul_fill_cycles, chip.mxm_planes
    length = streaming_cycles(chip, work)
    part = fill // FILL_STEPS
    # What is between load and installation must have its place in the buffers.
    lag = min(part, chip.mxm_buffer_bytes // feed_bytes_per_cycle(chip))
    installed = part + lag
    tiles = tiles_of(chip, work)
    if tiles:
        schedule = tile_schedule(chip, work, tiles, length=length, part=part)
        sums = work.batch * tiles.sum_bytes
    else:
        schedule = one_stream(work, length=length, part=part, lag=lag)
        sums = work.output_bytes
    drains = installed + 2 * part + schedule.multiplies[0]
    drain = _When(drains, length + fill - part - drains)
    weights = _weights(chip, work, schedule.loads)
    used = max((step.units for step in weights), default=0)
    inputs = _read(chip, work.input_bytes, _When(0, length + installed), first=used)
    used += inputs.units
    steps = [*weights, inputs]
    steps += [
        _step(
            SlicePort.MXM_LOAD,
            SliceOperation.LOAD,
            _When(part + span.start, span.cycles),
            size=span.bytes,
            units=planes,
        )
        for span in schedule.loads
    ]
    steps += [
        _step(
            SlicePort.MXM_INSTALL,
            SliceOperation.INSTALL,
            _When(part + span.start, span.cycles),
            size=span.bytes,
            units=planes,
        )
        for span in schedule.installs
    ]
    steps += _multiplied(chip, work, schedule, installed + part)
    steps.append(
        _step(
            SlicePort.MXM_ACCUMULATE,
            SliceOperation.ACCUMULATE,
            drain,
            size=work.output_bytes,
            units=planes,
            streams=_streams(chip, sums, drain.cycles),
        )
    )
    steps += _passed_on(chip, work, drain, part, used)
    return tuple(step for step in steps if step.bytes)


def _weights(
    chip: ChipSpec, work: ProductWork, loads: tuple[Span, ...]
) -> list[SliceInstruction]:
    """Return the reads of a matrix, ahead of what is loaded."""
    rest = work.fed_bytes - work.preloaded_bytes
    reads, fed, read = [], 0, 0
    for span in loads:
        fed += span.bytes
        until = work.streamed_bytes * fed // max(1, rest)
        reads.append(_read(chip, until - read, _When(span.start, span.cycles)))
        read = until
    return reads


def _multiplied(
    chip: ChipSpec, work: ProductWork, schedule: TileSchedule, after: int
) -> list[SliceInstruction]:
    """Return the multiplications of each set of tiles, spread evenly over them."""
    count = len(schedule.multiplies)
    steps = []
    for number, begin in enumerate(schedule.multiplies):
        size, macs = (
            amount * (number + 1) // count - amount * number // count
            for amount in (work.input_bytes, work.macs)
        )
        steps.append(
            _step(
                SlicePort.MXM_MULTIPLY,
                SliceOperation.MULTIPLY,
                _When(begin + after, schedule.multiply_cycles),
                size=size,
                units=chip.mxm_planes,
                macs=macs,
            )
        )
    return steps


def _passed_on(
    chip: ChipSpec, work: ProductWork, drain: _When, part: int, used: int
) -> list[SliceInstruction]:
    """Return how results come to SRAM, through a chain if there is one."""
    steps = []
    if work.chain:
        beside = _read(chip, work.chain.read_bytes, drain, first=used)
        used += beside.units
        size = work.output_bytes + work.chain.read_bytes
        streams = _streams(chip, work.written_bytes, drain.cycles)
        steps = [
            beside,
            _step(
                SlicePort.VXM, SliceOperation.CHAIN, drain, size=size, streams=streams
            ),
        ]
    comes = _When(drain.start + part, drain.cycles)
    return [*steps, _write(chip, work.written_bytes, comes, first=used)]


def _load(chip: ChipSpec, work: LoadWork) -> tuple[SliceInstruction, ...]:
    cycles = load_cycles(chip, work)
    arrives = _When(chip.matmul_fill_cycles // FILL_STEPS, cycles)
    return (
        _read(chip, work.stored_bytes, _When(0, cycles)),
        _step(
            SlicePort.MXM_LOAD,
            SliceOperation.LOAD,
            arrives,
            size=work.fed_bytes,
            units=chip.mxm_planes,
        ),
    )


def _chain(chip: ChipSpec, work: VectorWork) -> tuple[SliceInstruction, ...]:
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
                    SlicePort.SXM,
                    SliceOperation.PERMUTE,
                    _When(start + part, cycles),
                    size=work.operand_bytes,
                )
            )
        steps.append(
            _step(
                SlicePort.VXM,
                SliceOperation.CHAIN,
                _When(start + 2 * part, cycles),
                size=work.operand_bytes,
                streams=ceil_div(work.element_bits, BITS_PER_BYTE),
            )
        )
        if work.reorders:
            steps.append(
                _step(
                    SlicePort.SXM,
                    SliceOperation.TRANSPOSE,
                    _When(start + 3 * part, cycles),
                    size=work.result_bytes,
                    first=1,
                )
            )
        ends = _When(start + fill, cycles)
        steps.append(_write(chip, work.result_bytes, ends, first=read.units))
    return tuple(steps)


def _lookup(chip: ChipSpec, work: LookupWork) -> tuple[SliceInstruction, ...]:
    fill = chip.vector_fill_cycles
    cycles = work_cycles(chip, work) - fill
    read = _read(chip, work.stored_bytes, _When(0, cycles), step=SliceOperation.GATHER)
    return read, _write(chip, work.stored_bytes, _When(fill, cycles))
