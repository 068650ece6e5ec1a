"""Epochs that the aligned start of clocks takes down a spanning tree."""

from typing import NamedTuple

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

    They are ``(floor(L / epoch) + 1) * height`` at a latency of `L` cycles, which may
    exceed an epoch.

    >>> alignment_epochs(228, 252, 3), alignment_epochs(300, 252, 3)
    (3, 6)
    """
    return (latency_cycles // epoch_cycles + 1) * height


# A start is transmitted up to a cycle after its count, and read in whole counts.
_ROUNDING_CYCLES = 2


class LevelDelays(NamedTuple):
    """Delays of the aligned start from each chip's parent, in clock alignment.

    Attributes
    ----------
    transmit_cycles
        Cycles from an epoch edge of the parent to its transmission, shape ``(chips,)``.
    epochs
        Epochs from that edge to the one at which the chip is released, shape
        ``(chips,)``; 0 for the root and for chips outside the tree.
    per_level
        Epochs of a level: those of its slowest link.
    """

    transmit_cycles: Ints
    epochs: Ints
    per_level: int


def level_delays(
    machine: MachineSpec, topology: Topology, tree: SpanningTree
) -> LevelDelays:
    """Return the delays of clock alignment from each chip's parent.

    A chip waits for its next epoch edge after the start has arrived. If an edge may lie
    between the earliest and the latest arrival, the parent transmits as many cycles
    later as bring the earliest one past that edge. So every start takes the epochs of
    the published formula, ``floor(L / epoch) + 1`` for the latest arrival L.

    Raises
    ------
    ScheduleError
        If arrivals spread over more than an epoch.
    """
    epoch = machine.hac.epoch_cycles
    least = np.zeros(len(tree.parent), dtype=np.int64)
    below = tree.parent >= 0
    link = tree.parent_link[below]
    least_ps = least_latency_ps(machine, topology)[link]
    least[below] = -(-least_ps * machine.chip.clock_hz // PS_PER_S)
    # Each counter may be off by the tracking error of its level. Counts are integers,
    # and so are the cycles at which a counter is read and a start is transmitted.
    apart = machine.hac.tracking_error_counts * np.maximum(2 * tree.depth - 1, 0)
    slack = apart + _ROUNDING_CYCLES
    spread = machine.link.jitter_cycles + 2 * slack
    widest = int(spread.max(initial=0, where=below))
    if widest >= epoch:
        raise ScheduleError(
            f"starts arrive within {widest} cycles ({machine.link.jitter_cycles} of "
            f"jitter, counters off by {(widest - machine.link.jitter_cycles) // 2} "
            f"either way), more than an epoch of {epoch}: set hac.epoch_cycles above "
            f"{widest}"
        )
    earliest = least - slack
    latest = earliest + spread
    edge = latest // epoch * epoch
    # An arrival before the transmission is none: nothing comes before cycle 0.
    split = below & (edge > np.maximum(earliest, 0))
    transmit = np.where(split, edge - earliest, 0)
    most = transmit + least + machine.link.jitter_cycles
    epochs = np.where(below, most // epoch + 1, 0)
    longest = int(most.max(initial=0, where=below))
    return LevelDelays(transmit, epochs, alignment_epochs(longest, epoch, 1))
