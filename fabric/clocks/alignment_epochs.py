"""Epochs that the aligned start of clocks takes down a spanning tree."""

import numpy as np

from fabric.links.latency import least_latency_ps
from specs.arrays import Ints
from specs.errors import ScheduleError
from specs.machine import MachineSpec
from specs.units import PS_PER_S
from topologies.routing.spanning_tree import SpanningTree
from topologies.topology import Topology


def alignment_epochs(latency_cycles: int, epoch_cycles: int, height: int) -> int:
    """Return the epochs of the start of aligned clocks down a tree.

    They are ``(floor(L / epoch) + 1) * height`` at a latency of `L` cycles.


    >>> alignment_epochs(228, 252, 3)
    3
    """
    return (latency_cycles // epoch_cycles + 1) * height


def level_epochs(
    machine: MachineSpec, topology: Topology, tree: SpanningTree
) -> tuple[Ints, int]:
    """Return epochs of clock alignment from each chip's parent, and those of a level.

    Raises
    ------
    ScheduleError
        If the latency of a link may lie on either side of an epoch edge, so that a
        start could be an epoch late at random.
    """
    epoch = machine.hac.epoch_cycles
    least = np.zeros(len(tree.parent), dtype=np.int64)
    below = tree.parent >= 0
    link = tree.parent_link[below]
    least_ps = least_latency_ps(machine, topology)[link]
    least[below] = -(-least_ps * machine.chip.clock_hz // PS_PER_S)
    # A counter may be off by the tracking error of a level, and counts are integers.
    slack = machine.hac.tracking_error_counts + 1
    most = least + machine.link.jitter_cycles
    epochs = np.where(below, most // epoch + 1, 0)
    split = below & ((most + slack) // epoch > np.maximum(least - slack, 0) // epoch)
    if split.any():
        chip = int(np.flatnonzero(split)[0])
        raise ScheduleError(
            f"the link to chip {chip} takes {least[chip]} to {most[chip]} cycles, and "
            f"an epoch edge of {epoch} cycles lies between (counters may be off by "
            f"{slack}): set hac.epoch_cycles above {int(most.max()) + slack}"
        )
    longest = int(most.max(initial=0))
    return epochs, alignment_epochs(longest, epoch, 1)
