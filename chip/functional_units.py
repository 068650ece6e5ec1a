"""The functional slices of a chip as resources: what there is, and how many of each.

A schedule of a chip has two dimensions, time and slice. Part of a slice that does one
thing a cycle is a port: a MEM slice reads on one and writes on another, a plane of the
MXM loads, installs, multiplies and accumulates at the same time (isca20).
"""

from enum import IntEnum
from typing import NamedTuple

from specs.machine import ChipSpec


class SlicePort(IntEnum):
    """What of a slice does one thing in a cycle."""

    MEM_READ = 0
    MEM_WRITE = 1
    MXM_LOAD = 2
    MXM_INSTALL = 3
    MXM_MULTIPLY = 4
    MXM_ACCUMULATE = 5
    VXM = 6
    SXM = 7


class SliceOperation(IntEnum):
    """What a slice instruction does."""

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


class SliceInstruction(NamedTuple):
    """One instruction of some neighbouring slices; cycles count from the operator's.

    Attributes
    ----------
    port, step
        Which part of the slices is taken, and what it does.
    first, units
        Number of the first slice or plane, and how many do the same.
    start_cycle, duration_cycles
        When, from the start of the operator, and for how long.
    east, west
        Streams that it puts data on, each way; one that takes data off has none.
    bytes
        Bytes moved into the slices or out of them.
    macs
        Multiply-accumulates.
    bank
        Bank of the MEM slices, -1 elsewhere.
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


class Inventory(NamedTuple):
    """What a chip has of each resource.

    Attributes
    ----------
    units
        Slices or planes by port.
    streams
        Streams in each direction.
    stream_bytes
        Bytes that a stream carries in a cycle: one for each lane.
    buffer_bytes
        Weights that the buffers of all planes hold beside the installed ones.
    """

    units: dict[SlicePort, int]
    streams: int
    stream_bytes: int
    buffer_bytes: int


def inventory(chip: ChipSpec) -> Inventory:
    """Return the resources of a chip."""
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
