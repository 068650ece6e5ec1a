"""From one program to the next on the same chips, without a new alignment."""

from typing import NamedTuple

import numpy as np

from chip.hac import wrapped_differences
from chip.program import Program
from fabric.clocks.start_propagation import Start
from fabric.faults.spares import Spares
from fabric.runtime.segment import Segment
from specs.arrays import Ints


class Change(NamedTuple):
    """A program that takes over at the boundary of a token.

    Attributes
    ----------
    token
        First token of each sequence that it computes.
    program
        What every chip does from then on.
    spares
        Where it can go when a node is bad; nowhere if None.
    """

    token: int
    program: Program
    spares: Spares | None


def start_after(run: Segment, removed_cycles: Ints) -> Start:
    """Return the start of the program that follows `run`.

    The chips' aligned counters run on. Deskews that have begun end, then every chip
    deskews once, so that the new program finds all of them in step: two epochs. Chips
    that never deskew go on at once.

    Parameters
    ----------
    run
        What has been executed to its end.
    removed_cycles
        What all its deskews have removed on each chip, shape ``(chips,)``.
    """
    offset = np.array(run.start.cycle, dtype=np.int64) + removed_cycles
    cycle = run.last_cycle
    if run.program.deskews.interval_cycles:
        stall_cycles = run.program.deskews.stall_cycles
        cycle += stall_cycles
        chips = np.arange(len(offset))
        at_ps = run.crystals.clocks.edges_ps(chips, cycle + offset)
        offset = offset + wrapped_differences(
            np.full_like(offset, run.start.count + cycle),
            run.crystals.counts_at(chips, at_ps),
            run.machine.hac.epoch_cycles,
        )
        cycle += stall_cycles
    return Start(
        cycle=tuple((cycle + offset).tolist()),
        count=run.start.count + cycle,
        epochs=0,
        duration_ps=0,
        events=0,
    )
