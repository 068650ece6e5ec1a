"""Latency of links: its minimum, its jitter, and the epochs of a tree level."""

from functools import cache
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from specs.machine import MachineSpec
from specs.units import PS_PER_S
from topologies.link_samples import measured_row
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
    """Return the quantiles of each link's jitter, one row after the other."""
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
