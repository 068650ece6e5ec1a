"""Construction of slice instructions, and of those that read and write SRAM."""

from typing import NamedTuple

from chip.functional_units import SliceInstruction, SliceOperation, SlicePort
from chip.product_rounds import Repeat
from specs.chip import ChipSpec
from specs.units import ceil_div

SUM_BYTES = 4
"""Bytes of a sum or a largest element as it leaves the MXM or VXM: FP32 or INT32."""


def stream_count(chip: ChipSpec, size: int, cycles: int) -> int:
    """Return the number of a chip's streams for `size` bytes in `cycles` cycles."""
    return ceil_div(size, chip.lanes * cycles)


class Interval(NamedTuple):
    """Cycles of an instruction: the first, from the operator's start, and how many."""

    start: int
    cycles: int


def instruction(
    port: SlicePort,
    step: SliceOperation,
    when: Interval,
    *,
    size: int,
    units: int = 1,
    first: int = 0,
    streams: int = 0,
    macs: int = 0,
    bank: int = -1,
) -> SliceInstruction:
    """Return a chip's slice instruction; half of the `streams` it writes go east.

    An odd stream goes east. The other parameters are those of `SliceInstruction`.
    """
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


def repeated(step: SliceInstruction, repeat: Repeat, *, size: int) -> SliceInstruction:
    """Return an instruction that repeats and moves `size` bytes in all."""
    return step._replace(
        bytes=size, repeats=repeat.times, interval_cycles=repeat.interval
    )


def sram_read(
    chip: ChipSpec,
    size: int,
    when: Interval,
    *,
    first: int = 0,
    step: SliceOperation = SliceOperation.READ,
) -> SliceInstruction:
    """Return a chip's read of `size` bytes onto whole streams, a MEM slice for each."""
    count = stream_count(chip, size, when.cycles)
    return instruction(
        SlicePort.MEM_READ,
        step,
        when,
        size=size,
        units=count,
        first=first,
        streams=count,
        bank=0,
    )


def sram_write(
    chip: ChipSpec, size: int, when: Interval, *, first: int = 0
) -> SliceInstruction:
    """Return a chip's write of `size` bytes from streams, to the bank that is not read.

    It starts at slice 0 if there are too few slices from `first` on.
    """
    count = stream_count(chip, size, when.cycles)
    return instruction(
        SlicePort.MEM_WRITE,
        SliceOperation.WRITE,
        when,
        size=size,
        units=count,
        first=first if first + count <= chip.mem_slices else 0,
        bank=1,
    )
