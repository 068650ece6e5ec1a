"""Functional units of a chip: the ports of its slices and how many there are.

A schedule of a chip has two dimensions, time and slice. A port is the part of a slice
that does one operation a cycle: a MEM slice reads on one port and writes on another; a
plane of the MXM loads, installs, multiplies and accumulates at the same time (isca20).
"""

from enum import IntEnum
from typing import NamedTuple

from specs.chip import ChipSpec


class SlicePort(IntEnum):
    """Port of a slice, which does one operation in a cycle."""

    MEM_READ = 0
    MEM_WRITE = 1
    MXM_LOAD = 2
    MXM_INSTALL = 3
    MXM_MULTIPLY = 4
    MXM_ACCUMULATE = 5
    VXM = 6
    SXM = 7


class SliceOperation(IntEnum):
    """Operation of a slice instruction."""

    READ = 0
    GATHER = 1
    WRITE = 2
    LOAD = 3
    INSTALL = 4
    MULTIPLY = 5
    ACCUMULATE = 6
    CHAIN = 7
    PERMUTE = 8
    TRANSPOSE = 9
    SHIFT = 10
    WIDEN = 11


class SliceInstruction(NamedTuple):
    """Instruction that neighbouring slices execute together for one operator.

    Attributes
    ----------
    port, step
        Port that is occupied, and its operation.
    first, units
        Number of the first slice or plane, and how many execute the instruction.
    start_cycle, duration_cycles
        First cycle, counted from the start of the operator, and number of cycles.
    east, west
        Streams written in each direction; 0 for an instruction that reads streams.
    bytes
        Bytes moved into the slices or out of them, by all repeats together.
    macs
        Multiply-accumulates of all repeats.
    bank
        Bank of the MEM slices, -1 elsewhere.
    repeats, interval_cycles
        How often the instruction executes, and cycles from a start to the next (the
        repeat instruction of isca20). Bytes are spread evenly.
    """

    port: SlicePort
    step: SliceOperation
    first: int
    units: int
    start_cycle: int
    duration_cycles: int
    east: int = 0
    west: int = 0
    bytes: int = 0
    macs: int = 0
    bank: int = -1
    repeats: int = 1
    interval_cycles: int = 0

    @property
    def end_cycle(self) -> int:
        """Return the cycle after the last repeat, counted as `start_cycle`."""
        last = self.start_cycle + (self.repeats - 1) * self.interval_cycles
        return last + self.duration_cycles

    @property
    def busy_cycles(self) -> int:
        """Return the cycles of all repeats."""
        return self.repeats * self.duration_cycles


class Inventory(NamedTuple):
    """Capacity of each resource of a chip.

    Attributes
    ----------
    units
        Slices or planes by port.
    streams
        Streams in each direction.
    stream_bytes
        Bytes that a stream carries in a cycle: one for each lane.
    buffer_bytes
        Bytes that the weight buffers of all planes hold beside the installed weights.
    """

    units: dict[SlicePort, int]
    streams: int
    stream_bytes: int
    buffer_bytes: int


def inventory(chip: ChipSpec) -> Inventory:
    """Return the capacity of each resource of a chip."""
    planes = dict.fromkeys(
        (
            SlicePort.MXM_LOAD,
            SlicePort.MXM_INSTALL,
            SlicePort.MXM_MULTIPLY,
            SlicePort.MXM_ACCUMULATE,
        ),
        chip.mxm_planes,
    )
    return Inventory(
        units={
            SlicePort.MEM_READ: chip.mem_slices,
            SlicePort.MEM_WRITE: chip.mem_slices,
            **planes,
            SlicePort.VXM: 1,
            SlicePort.SXM: chip.sxm_slices,
        },
        streams=chip.stream_bytes_per_cycle // (2 * chip.lanes),
        stream_bytes=chip.lanes,
        buffer_bytes=chip.mxm_buffer_bytes,
    )
