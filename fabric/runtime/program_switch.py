"""Program switch on the same chips, without a new alignment."""

from typing import NamedTuple

import numpy as np

from chip.program import Program
from fabric.clocks.hac import wrapped_differences
from fabric.clocks.start_propagation import Start
from fabric.faults.spares import Spares
from fabric.runtime.segment import Segment
from specs.arrays import Ints


class Change(NamedTuple):
    """Program switch at the boundary of a token.

    Attributes
    ----------
    token
        First token of each sequence that the program computes.
    program
        Program from then on.
    spares
        Planner of failovers; there are none if None.
    """

    token: int
    program: Program
    spares: Spares | None


def start_after(segment: Segment, removed_cycles: Ints) -> Start:
    """Return the start, at run time, of the program that follows `segment`.

    The chips' aligned counters continue. Deskews that have begun end, then every chip
    deskews once, so that all chips are aligned for the new program: two epochs. Chips
    that never deskew continue at once.

    Parameters
    ----------
    segment
        Segment that has ended.
    removed_cycles
        Drift that all its deskews have removed on each chip, shape ``(chips,)``.
    """
    offset = np.array(segment.start.cycle, dtype=np.int64) + removed_cycles
    cycle = segment.last_cycle
    if segment.program.deskews.interval_cycles:
        stall_cycles = segment.program.deskews.stall_cycles
        cycle += stall_cycles
        chips = np.arange(len(offset))
        at_ps = segment.crystals.clocks.edges_ps(chips, cycle + offset)
        offset = offset + wrapped_differences(
            np.full_like(offset, segment.start.count + cycle),
            segment.crystals.counts_at(chips, at_ps),
            segment.machine.hac.epoch_cycles,
        )
        cycle += stall_cycles
    return Start(
        cycle=tuple((cycle + offset).tolist()),
        count=segment.start.count + cycle,
        epochs=0,
        duration_ps=0,
        events=0,
    )
