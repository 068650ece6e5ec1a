"""Latency of links: its minimum, its jitter, and the epochs of a tree level."""

from functools import cache
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from chip.hac import alignment_epochs
from specs.errors import ScheduleError
from specs.machine import MachineSpec
from specs.units import PS_PER_S
from topologies.link_samples import measured_row
from topologies.routing.spanning_tree import SpanningTree
from topologies.topology import Topology

# With 2^14 levels a link's mean and deviation are within 10^-5 cycles of those of a
# table of any size, and seven rows stay in the second-level cache. A look-up takes
# 1 ns; the inverse of the normal distribution takes 20.
LEVEL_BITS = 14

_SHIFT = np.uint64(64 - LEVEL_BITS)


def least_latency_ps(machine: MachineSpec, topology: Topology) -> NDArray[np.int64]:
    """Return the minimum latency of each directed link with cable and decoder, in ps.

    It is the latency without jitter.
    """
    fixed_ps = machine.cycles_to_ps(machine.reference_latency_cycles)
    return fixed_ps + machine.cable_extra_ps(topology.length_m)


@cache
def _quantiles_ps(
    rows: tuple[tuple[float, float], ...], span_ps: float
) -> NDArray[np.int32]:
    """Return the quantiles of each row's jitter, one row after the other."""
    levels = 2**LEVEL_BITS
    normal = ndtri((np.arange(levels) + 0.5) / levels)
    mean, deviation = np.array(rows).T[..., np.newaxis]
    fraction = np.clip(mean + deviation * normal, 0.0, 1.0)
    table: NDArray[np.int32] = np.floor(fraction * span_ps).astype(np.int32).ravel()
    table.flags.writeable = False
    return table


@final
class Jitter:
    """Jitter of every link of a machine: a clipped normal distribution.

    Each cable follows a row of the measured links (`topologies.link_samples`). A draw
    selects one of 2^14 equally likely values: the quantiles of the distribution in the
    middle of each level.

    Parameters
    ----------
    machine
        Span of the jitter; mean and deviation of each row.
    topology
        Topology whose links jitter.
    """

    def __init__(self, machine: MachineSpec, topology: Topology) -> None:
        link = machine.link
        rows = link.jitter_rows
        self._row = measured_row(topology, len(rows)) << LEVEL_BITS
        self._drawn = link.jitter_cycles > 0
        span_ps = link.jitter_cycles * PS_PER_S / machine.chip.clock_hz
        self._table_ps = _quantiles_ps(rows, span_ps)

    def ps(
        self, links: NDArray[np.integer], bits: NDArray[np.uint64]
    ) -> NDArray[np.int64]:
        """Return the jitter of one train on each link, in ps.

        Parameters
        ----------
        links
            Directed links; broadcast against `bits`.
        bits
            Random bits, of which the most significant 14 are used.
        """
        if not self._drawn:
            return np.zeros(np.broadcast_shapes(links.shape, bits.shape), np.int64)
        level = (bits >> _SHIFT).view(np.int64)
        drawn_ps = self._table_ps.take(self._row[links] + level)
        return np.asarray(drawn_ps, dtype=np.int64)


def level_epochs(
    machine: MachineSpec, topology: Topology, tree: SpanningTree
) -> tuple[NDArray[np.int64], int]:
    """Return the link latency in epochs from each chip's parent, and that of a level.

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
