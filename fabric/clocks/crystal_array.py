"""Array of crystals: edges and cycles of many at once, in the first second.

Aligning counters takes milliseconds. For that time a crystal keeps its frequency, and
one division in 64 bits gives the same integers as `fabric.clocks.clock.Clock`.
"""

from collections.abc import Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

from fabric.clocks.clock import Clock
from specs.arrays import Ints
from specs.units import PS_PER_S

_MILLION = 10**6
# Largest cycle whose product with the picoseconds of a second fits 64 bits.
_SHORT_CYCLES = (2**63 - 1) // PS_PER_S


@final
class CrystalArray:
    """Crystals of constant frequency, one for each column of the arrays evaluated.

    Parameters
    ----------
    clocks
        Clocks of all chips.
    chips
        Chip of each column; a chip may have several columns.
    """

    def __init__(self, clocks: Sequence[Clock], chips: NDArray[np.integer]) -> None:
        hz = np.array([clock.frequency_hz for clock in clocks], dtype=np.int64)[chips]
        phase_ps = np.array([clock.phase_ps for clock in clocks], dtype=np.int64)
        self._hz: Ints = hz
        self._phase_ps: Ints = phase_ps[chips]
        # Up to here, 10 ms at 900 MHz, the product of time and frequency fits 64 bits.
        self._short_ps = (2**63 - 1) // int(hz.max(initial=1))
        self._period_ps: Ints = PS_PER_S // hz
        self._rest: Ints = PS_PER_S % hz

    def edges_ps(self, cycles: Ints) -> Ints:
        """Return when each cycle begins: `Clock.edge_ps`, up to a second."""
        if cycles.max(initial=0) < _SHORT_CYCLES:
            edges: Ints = cycles * PS_PER_S // self._hz + self._phase_ps
            return edges
        fraction_ps = cycles * self._rest // self._hz
        fraction_ps += cycles * self._period_ps
        return fraction_ps + self._phase_ps

    def cycles_at(self, times_ps: Ints) -> Ints:
        """Return the cycle running at each time: `Clock.cycle_at`, up to a second."""
        since_ps = times_ps - self._phase_ps + 1
        if since_ps.max(initial=0) < self._short_ps:
            running: Ints = (since_ps * self._hz - 1) // PS_PER_S
            return running
        # Millionths of a second, so that no product exceeds 64 bits.
        micros = since_ps // _MILLION
        millionths = micros * self._hz
        whole: Ints = millionths // _MILLION
        rest = (millionths - whole * _MILLION) * _MILLION
        rest += (since_ps - micros * _MILLION) * self._hz - 1
        whole += rest // PS_PER_S
        return whole

    def cycles_from(self, times_ps: Ints) -> Ints:
        """Return the first cycle that begins at each time or later."""
        return self.cycles_at(times_ps - 1) + 1
