"""Lowering of a matrix product to instructions of MEM, MXM and VXM.

The data of a product flows from slice to slice: read, load, install, multiply,
accumulate, write. Each step starts a part of the pipeline fill after the one before.
"""

from chip.functional_units import SliceInstruction, SliceOperation, SlicePort
from chip.operator_cycles import FILL_STEPS, feed_bytes_per_cycle, work_cycles
from chip.operator_work import ProductWork
from chip.slice_instructions import (
    Interval,
    instruction,
    sram_read,
    sram_write,
    stream_count,
)
from chip.tile_schedule import Span, TileSchedule, one_stream, tile_schedule, tiles_of
from specs.machine import ChipSpec


def lower_product(chip: ChipSpec, work: ProductWork) -> tuple[SliceInstruction, ...]:
    """Return a chip's slice instructions of a product, cycles counted from start."""
    fill, planes = chip.matmul_fill_cycles, chip.mxm_planes
    length = streaming_cycles(chip, work)
    part = fill // FILL_STEPS
    # Weights between load and installation must fit into the weight buffers.
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
    drain = Interval(drains, length + fill - part - drains)
    weights = _weight_reads(chip, work, schedule.loads)
    used = max((step.units for step in weights), default=0)
    inputs = sram_read(
        chip, work.input_bytes, Interval(0, length + installed), first=used
    )
    used += inputs.units
    steps = [*weights, inputs]
    steps += [
        instruction(
            SlicePort.MXM_LOAD,
            SliceOperation.LOAD,
            Interval(part + span.start, span.cycles),
            size=span.bytes,
            units=planes,
        )
        for span in schedule.loads
    ]
    steps += [
        instruction(
            SlicePort.MXM_INSTALL,
            SliceOperation.INSTALL,
            Interval(part + span.start, span.cycles),
            size=span.bytes,
            units=planes,
        )
        for span in schedule.installs
    ]
    steps += _multiplications(chip, work, schedule, installed + part)
    steps.append(
        instruction(
            SlicePort.MXM_ACCUMULATE,
            SliceOperation.ACCUMULATE,
            drain,
            size=work.output_bytes,
            units=planes,
            streams=stream_count(chip, sums, drain.cycles),
        )
    )
    steps += _result_writes(chip, work, drain, part, used)
    return tuple(step for step in steps if step.bytes)


def streaming_cycles(chip: ChipSpec, work: ProductWork) -> int:
    """Return a chip's cycles to read a product's matrix: its length less fill."""
    return work_cycles(chip, work) - chip.matmul_fill_cycles


def _weight_reads(
    chip: ChipSpec, work: ProductWork, loads: tuple[Span, ...]
) -> list[SliceInstruction]:
    """Return a chip's SRAM reads of a matrix, one ahead of each load."""
    rest = work.fed_bytes - work.preloaded_bytes
    reads, fed, read = [], 0, 0
    for span in loads:
        fed += span.bytes
        until = work.streamed_bytes * fed // max(1, rest)
        reads.append(sram_read(chip, until - read, Interval(span.start, span.cycles)))
        read = until
    return reads


def _multiplications(
    chip: ChipSpec, work: ProductWork, schedule: TileSchedule, after: int
) -> list[SliceInstruction]:
    """Return a chip's multiplication of each set of tiles; bytes and MACs are even."""
    count = len(schedule.multiplies)
    steps = []
    for number, begin in enumerate(schedule.multiplies):
        size, macs = (
            amount * (number + 1) // count - amount * number // count
            for amount in (work.input_bytes, work.macs)
        )
        steps.append(
            instruction(
                SlicePort.MXM_MULTIPLY,
                SliceOperation.MULTIPLY,
                Interval(begin + after, schedule.multiply_cycles),
                size=size,
                units=chip.mxm_planes,
                macs=macs,
            )
        )
    return steps


def _result_writes(
    chip: ChipSpec, work: ProductWork, drain: Interval, part: int, used: int
) -> list[SliceInstruction]:
    """Return a chip's write of results to SRAM, through the VXM chain if any."""
    steps = []
    if work.chain:
        beside = sram_read(chip, work.chain.read_bytes, drain, first=used)
        used += beside.units
        size = work.output_bytes + work.chain.read_bytes
        streams = stream_count(chip, work.written_bytes, drain.cycles)
        steps = [
            beside,
            instruction(
                SlicePort.VXM, SliceOperation.CHAIN, drain, size=size, streams=streams
            ),
        ]
    comes = Interval(drain.start + part, drain.cycles)
    return [*steps, sram_write(chip, work.written_bytes, comes, first=used)]
