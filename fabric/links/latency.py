"""Latency of links: its minimum and its jitter."""

from functools import cache
from typing import final

import numpy as np
from numpy.typing import NDArray

from fabric.links.jitter_law import JitterLaw
from specs.arrays import Floats, Ints
from specs.machine import MachineSpec
from specs.units import PS_PER_S
from topologies.link_samples import measured_row
from topologies.topology import Topology

# With 2^14 levels a link's mean and deviation are within 10^-4 cycles of those of a
# table of any size, and seven rows stay in the second-level cache. A look-up takes
# 1 ns; the inverse of the normal distribution takes 20. The uppermost level, in which
# vectors may be late, is resolved by the bits that are left.
LEVEL_BITS = 14

_SHIFT = np.uint64(64 - LEVEL_BITS)
_UPPERMOST = 2**LEVEL_BITS - 1
_TAIL_BITS = 64 - LEVEL_BITS
_LEAST_TAIL = 2.0 ** -(LEVEL_BITS + _TAIL_BITS + 1)


def least_latency_ps(machine: MachineSpec, topology: Topology) -> NDArray[np.int64]:
    """Return the minimum latency of each directed link with cable and decoder, in ps.

    It is the latency without jitter.
    """
    fixed_ps = machine.cycles_to_ps(machine.reference_latency_cycles)
    return fixed_ps + machine.cable_extra_ps(topology.length_m)


@cache
def _quantiles_ps(
    law: str,
    rows: tuple[tuple[float, float], ...],
    end: float,
    span_ps: float,
    most_ps: float,
) -> NDArray[np.integer]:
    """Return the quantiles of each link's jitter, one row after the other."""
    quantiles = JitterLaw.of(law, rows, end).quantiles(2**LEVEL_BITS)
    drawn_ps: Floats = np.clip(quantiles * span_ps, 0.0, most_ps)
    kind = np.int32 if drawn_ps.max() < 2**31 else np.int64
    table: NDArray[np.integer] = np.floor(drawn_ps).ravel().astype(kind)
    table.flags.writeable = False
    return table


@final
class Jitter:
    """Jitter of every link of a machine: how much later than the minimum vectors come.

    A ``beta`` law ends where the measured latencies end, a normal one that is
    ``clipped`` at the span, which guard bands cover; a ``gaussian`` one does
    not end. No vector is faster than the minimum: half round trips of the measured
    links are never below it, though a normal law would be. Each cable follows a row
    of the measured links (`topologies.link_samples`). A draw selects one of 2^14
    equally likely values, the quantiles of the law in the middle of each level; in the
    uppermost level further bits select the quantile.

    Parameters
    ----------
    machine
        Law and span of the jitter; mean and deviation of each row, and the law's end.
    topology
        Topology whose links jitter.

    Attributes
    ----------
    most_ps
        Largest jitter that any link draws: the end of the law, or of what 64 bits
        resolve.
    """

    def __init__(self, machine: MachineSpec, topology: Topology) -> None:
        link = machine.link
        stated = link.jitter, link.jitter_rows, link.jitter_end_fraction
        self._law = JitterLaw.of(*stated)
        rows = len(link.jitter_rows)
        self._row = measured_row(topology, rows)
        self._drawn = link.jitter_cycles > 0
        self._span_ps = link.jitter_cycles * PS_PER_S / machine.chip.clock_hz
        most = 1.0
        if link.jitter != "clipped":
            far = self._law.exceeded(np.arange(rows), np.full(rows, _LEAST_TAIL))
            most = max(0.0, float(far.max()))
        self.most_ps = int(most * self._span_ps)
        self._table_ps = _quantiles_ps(*stated, self._span_ps, self.most_ps)
        self._table_row = self._row << LEVEL_BITS

    def ps(
        self, links: NDArray[np.integer], bits: NDArray[np.uint64]
    ) -> NDArray[np.int64]:
        """Return the jitter of one train on each link, in ps.

        Parameters
        ----------
        links
            Directed links; broadcast against `bits`.
        bits
            Random bits; the most significant 14 select the level.
        """
        if not self._drawn:
            return np.zeros(np.broadcast_shapes(links.shape, bits.shape), np.int64)
        level = (bits >> _SHIFT).view(np.int64)
        drawn_ps = self._table_ps.take(self._table_row[links] + level)
        drawn_ps = np.asarray(drawn_ps, dtype=np.int64)
        far = np.broadcast_to(level == _UPPERMOST, drawn_ps.shape)
        if far.any():
            row = np.broadcast_to(self._row[links], drawn_ps.shape)[far]
            drawn_ps[far] = self._tail_ps(row, np.broadcast_to(bits, far.shape)[far])
        return drawn_ps

    def _tail_ps(self, row: NDArray[np.int64], bits: NDArray[np.uint64]) -> Ints:
        """Return the jitter of links in the uppermost level, by the bits behind it."""
        rest = (bits & np.uint64(2**_TAIL_BITS - 1)).astype(np.float64)
        beyond = (1 - (rest + 0.5) * 2.0**-_TAIL_BITS) * 2.0**-LEVEL_BITS
        fraction = self._law.exceeded(row, beyond)
        drawn_ps = np.clip(fraction * self._span_ps, 0.0, self.most_ps)
        tail_ps: Ints = np.floor(drawn_ps).astype(np.int64)
        return tail_ps

    def odds_beyond(
        self, links: NDArray[np.integer], limit_ps: Ints | Floats
    ) -> Floats:
        """Return the odds that the jitter of a train is more than a limit, by link.

        Parameters
        ----------
        links, limit_ps
            Directed links, and a limit for each in ps; broadcast against each other.
        """
        row, limit = np.broadcast_arrays(self._row[links], limit_ps)
        if not self._drawn:
            return (limit < 0).astype(np.float64)
        # A draw is rounded down to whole ps.
        odds = self._law.odds_beyond(row, (limit + 1) / self._span_ps)
        odds = np.where(limit >= self.most_ps, 0.0, odds)
        return np.where(limit < 0, 1.0, odds)
