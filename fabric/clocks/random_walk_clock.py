"""Clock of one chip whose frequency follows a bounded random walk."""

from typing import final

import numpy as np

from fabric.clocks.clock import Stretch
from fabric.clocks.random_walk import RandomWalk
from specs.arrays import Ints


@final
class RandomWalkClock:
    """Clock of one crystal of a random walk.

    Parameters
    ----------
    walk
        Crystals of all chips.
    chip
        Chip whose crystal this is.
    """

    def __init__(self, walk: RandomWalk, chip: int) -> None:
        self._walk = walk
        self._chip = chip
        self._latest = walk.stretch(chip, 0)
        self._end_ps = self.edge_ps(self._latest.end_cycle)

    def edge_ps(self, cycle: int) -> int:
        """Return when `cycle` begins, in ps of global time, rounded down."""
        first, _, first_ps, rest, step, unit = self.stretch_at(cycle)
        return first_ps + ((cycle - first) * step + rest) // unit

    def edges_ps(self, cycles: Ints) -> Ints:
        """Return `edge_ps` of each cycle, the same integers."""
        return self._walk.edges_ps(np.full(len(cycles), self._chip), cycles)

    def cycle_at(self, time_ps: int) -> int:
        """Return the cycle that is running at `time_ps`: the last edge not after it."""
        first, end, first_ps, rest, step, unit = self._latest
        cycle = first + ((time_ps - first_ps + 1) * unit - rest - 1) // step
        if first <= cycle < end:
            # A stretch is long: nearly every query falls into the latest one.
            return cycle
        chip, time = np.array([self._chip]), np.array([time_ps])
        cycle = int(self._walk.cycles_at(chip, time)[0])
        self._latest = self.stretch_at(max(cycle, 0))
        self._end_ps = self.edge_ps(self._latest.end_cycle)
        return cycle

    def cycles_at(self, times_ps: Ints) -> Ints:
        """Return `cycle_at` of each time, the same integers."""
        first, _, first_ps, rest, step, unit = self._latest
        # Only times within the stretch have differences in as that fit 64 bits.
        if (
            len(times_ps)
            and first_ps <= times_ps.min() <= times_ps.max() < self._end_ps
        ):
            parts = (times_ps - first_ps + 1) * unit - rest - 1
            return first + parts // step
        self.cycle_at(int(times_ps.max(initial=0)))
        return self._walk.cycles_at(np.full(len(times_ps), self._chip), times_ps)

    def stretch_at(self, cycle: int) -> Stretch:
        """Return the interval of constant frequency that contains `cycle`."""
        return self._walk.stretch(self._chip, cycle)
