"""Bounded random walk of crystal frequencies, a model of temperature.

A crystal keeps its frequency for a stretch of cycles. Then it takes a random step,
which is reflected at its tolerance. A period is a whole number of attoseconds
(0.001 ppm at 900 MHz), so every edge is exact at any cycle, as with a constant crystal.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from fabric.clocks.clock import Stretch
from specs.arrays import Floats, Ints
from specs.units import AS_PER_PS, AS_PER_S, PPM

_RowSelection = slice | NDArray[np.bool_]

# Stretches computed at once, and blocks of them in the cache. The times of chips in a
# run never differ by more than that.
_BLOCK_STRETCHES = 64
_CACHED_BLOCKS = 4


class _State(NamedTuple):
    """State of all crystals at the begin of a stretch: error, whole ps, rest in as."""

    error_ppm: Floats
    first_ps: Ints
    rest_as: Ints


class Lines(NamedTuple):
    """Linear pieces of clock edges, one for each queried cycle.

    Up to the end of its stretch, cycle ``cycle + n`` begins at
    ``first_ps + (parts_as + n * period_as) // 10^6``.

    Attributes
    ----------
    cycle, end_cycle
        Queried cycle, and the first one after its stretch.
    first_ps, parts_as
        Global time of the stretch's first cycle, and the offset of `cycle`, in as.
    period_as
        Clock period in as.
    """

    cycle: Ints
    end_cycle: Ints
    first_ps: Ints
    parts_as: Ints
    period_as: Ints


class _Block(NamedTuple):
    """Block of stretches of all crystals, arrays of shape ``(stretches, chips)``."""

    first_ps: Ints
    rest_as: Ints
    period_as: Ints


@final
class RandomWalk:
    """Crystals of all chips whose frequencies follow bounded random walks.

    Parameters
    ----------
    nominal_hz
        Frequency without error.
    bound_ppm
        Largest error of either sign.
    step_ppm
        Largest change from one stretch to the next.
    stretch_cycles
        Cycles of a stretch.
    first_error_ppm, phase_ps
        Error in the first stretch and global time of cycle 0, shape ``(chips,)``.
    steps
        Function that takes the number of a stretch, from 1 on, and returns a number in
        (-1, 1) for each chip; deterministic.
    """

    def __init__(
        self,
        nominal_hz: int,
        *,
        bound_ppm: float,
        step_ppm: float,
        stretch_cycles: int,
        first_error_ppm: Floats,
        phase_ps: Ints,
        steps: Callable[[int], Floats],
    ) -> None:
        self._nominal_hz = nominal_hz
        self._bound_ppm = bound_ppm
        self._step_ppm = step_ppm
        self.stretch_cycles = stretch_cycles
        self._steps = steps
        none = np.zeros(len(phase_ps), dtype=np.int64)
        self._begins = [_State(first_error_ppm, phase_ps.astype(np.int64), none)]
        self._blocks: dict[int, _Block] = {}

    def edges_ps(self, chips: Ints, cycles: Ints) -> Ints:
        """Return when each cycle begins by its chip's crystal, in ps, rounded down."""
        number, within = np.divmod(cycles, self.stretch_cycles)
        result = np.empty(len(cycles), dtype=np.int64)
        for rows, table in self._by_block(number):
            at = number[rows] % _BLOCK_STRETCHES, chips[rows]
            parts = within[rows] * table.period_as[at] + table.rest_as[at]
            result[rows] = table.first_ps[at] + parts // AS_PER_PS
        return result

    def lines(self, chips: Ints, cycles: Ints) -> Lines:
        """Return the linear piece of each chip's clock edges at a cycle."""
        number, within = np.divmod(cycles, self.stretch_cycles)
        shape = number.shape
        number, chips = number.ravel(), np.broadcast_to(chips, shape).ravel()
        columns = np.empty((3, len(number)), dtype=np.int64)
        for rows, table in self._by_block(number):
            at = number[rows] % _BLOCK_STRETCHES, chips[rows]
            for column, values in zip(columns, table, strict=True):
                column[rows] = values[at]
        first_ps, rest_as, period_as = columns
        return Lines(
            cycles.ravel(),
            (number + 1) * self.stretch_cycles,
            first_ps,
            within.ravel() * period_as + rest_as,
            period_as,
        )

    def periods_as(self, chips: Ints, times_ps: Ints) -> Ints:
        """Return each crystal's clock period at a global time, in as."""
        return self.periods_of(chips, self.stretches_at(chips, times_ps))

    def periods_of(self, chips: Ints, number: Ints) -> Ints:
        """Return each crystal's clock period in a stretch, in as."""
        result = np.empty(len(number), dtype=np.int64)
        for rows, table in self._by_block(number):
            result[rows] = table.period_as[number[rows] % _BLOCK_STRETCHES, chips[rows]]
        return result

    def cycles_at(self, chips: Ints, times_ps: Ints) -> Ints:
        """Return the cycle that runs at each time: the last edge not after it."""
        number = self.stretches_at(chips, times_ps)
        result = number * self.stretch_cycles
        for rows, table in self._by_block(number):
            at = number[rows] % _BLOCK_STRETCHES, chips[rows]
            since = times_ps[rows] - table.first_ps[at]
            parts = (since + 1) * AS_PER_PS - table.rest_as[at] - 1
            result[rows] += parts // table.period_as[at]
        return result

    def stretches_at(self, chips: Ints, times_ps: Ints) -> Ints:
        """Return the number of the stretch that contains each time, 0 before them."""
        nominal_ps = self.stretch_cycles * (AS_PER_S // self._nominal_hz) // AS_PER_PS
        number = np.maximum(times_ps // max(nominal_ps, 1), 0)
        # Errors are small, so the estimate is off by few; an iteration corrects by one.
        while True:
            begun = self.begins_ps(number, chips) <= times_ps
            over = self.begins_ps(number + 1, chips) <= times_ps
            step = over.astype(np.int64) - (~begun & (number > 0))
            if not step.any():
                return number
            number = number + step

    def stretch(self, chip: int, cycle: int) -> Stretch:
        """Return the stretch of a chip's crystal that contains a cycle."""
        number = cycle // self.stretch_cycles
        block, row = divmod(number, _BLOCK_STRETCHES)
        table = self._block(block)
        first = number * self.stretch_cycles
        return Stretch(
            first,
            first + self.stretch_cycles,
            int(table.first_ps[row, chip]),
            int(table.rest_as[row, chip]),
            int(table.period_as[row, chip]),
            AS_PER_PS,
        )

    def begins_ps(self, number: Ints, chips: Ints) -> Ints:
        """Return when each stretch begins on its chip, in ps, rounded down."""
        result = np.empty(len(number), dtype=np.int64)
        for rows, table in self._by_block(number):
            result[rows] = table.first_ps[number[rows] % _BLOCK_STRETCHES, chips[rows]]
        return result

    def _by_block(self, number: Ints) -> Iterator[tuple[_RowSelection, _Block]]:
        """Yield each block with the rows whose stretches it contains; usually one."""
        block = number // _BLOCK_STRETCHES
        first, last = int(block.min(initial=0)), int(block.max(initial=0))
        if first == last:
            yield slice(None), self._block(first)
            return
        for each in np.unique(block).tolist():
            yield block == each, self._block(each)

    def _block(self, number: int) -> _Block:
        """Return a block of stretches, from the cache or computed."""
        while number >= len(self._begins):
            self._compute_block(len(self._begins) - 1)
        if number not in self._blocks:
            self._compute_block(number)
        return self._blocks[number]

    def _compute_block(self, number: int) -> None:
        """Compute a block whose begin is known, and the begin of the next block."""
        error_ppm, first_ps, rest_as = self._begins[number]
        periods = []
        for stretch in range(
            number * _BLOCK_STRETCHES, (number + 1) * _BLOCK_STRETCHES
        ):
            hz = self._nominal_hz * (1 + error_ppm / PPM)
            periods.append(np.rint(AS_PER_S / hz).astype(np.int64))
            error_ppm = self._reflected(
                error_ppm + self._step_ppm * self._steps(stretch + 1)
            )
        period_as = np.array(periods)
        whole_ps, parts_as = np.divmod(period_as * self.stretch_cycles, AS_PER_PS)
        begins_ps = first_ps + np.cumsum([0 * first_ps, *whole_ps], axis=0)
        begins_as = rest_as + np.cumsum([0 * rest_as, *parts_as], axis=0)
        begins_ps += begins_as // AS_PER_PS
        begins_as %= AS_PER_PS
        while len(self._blocks) >= _CACHED_BLOCKS:
            del self._blocks[min(self._blocks)]
        self._blocks[number] = _Block(begins_ps[:-1], begins_as[:-1], period_as)
        if number + 1 == len(self._begins):
            self._begins.append(_State(error_ppm, begins_ps[-1], begins_as[-1]))

    def _reflected(self, error_ppm: Floats) -> Floats:
        """Return errors reflected at the bound."""
        bound = self._bound_ppm
        high = np.where(error_ppm > bound, 2 * bound - error_ppm, error_ppm)
        return np.clip(np.where(high < -bound, -2 * bound - high, high), -bound, bound)
