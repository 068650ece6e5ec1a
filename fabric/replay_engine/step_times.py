"""Execution times of steps from cycles, deskews and crystals, as arrays."""

from typing import NamedTuple, final

import numpy as np

from fabric.clocks.clock import quotients_ps
from fabric.clocks.hac import wrapped_differences
from fabric.results.deskew_log import DeskewLog
from fabric.results.iteration_log import NEVER
from fabric.runtime.segment import Segment
from specs.arrays import Ints
from specs.units import AS_PER_PS


class _Placed(NamedTuple):
    """Positions of one sequence's steps in the periods of the program.

    Attributes
    ----------
    first_lag, last_lag
        Periods of the first and the last step, counted from the token's period.
    origin
        Row of each step in the offsets of these periods, flattened: its lag, the
        deskews of its chip before it in the period, and its chip.
    """

    first_lag: int
    last_lag: int
    origin: Ints


@final
class Offsets:
    """Offsets of each chip's program cycles from its crystal's, period after period.

    Parameters
    ----------
    segment
        Segment that is replayed.
    deskews
        Log that the deskews of each period are added to.
    """

    def __init__(self, segment: Segment, deskews: DeskewLog) -> None:
        self._segment = segment
        self._log = deskews
        self._offset = np.array(segment.start.cycle, dtype=np.int64)
        chips = segment.topology.chips
        self._chips = np.arange(chips)
        deskewed = segment.program.deskews
        count = np.bincount(deskewed.chip, minlength=chips)
        first = np.cumsum(count) - count
        self._most = int(count.max(initial=0))
        # Cycle of each chip's deskews, -1 for a chip that has fewer.
        self._cycle = np.full((self._most, chips), -1, dtype=np.int64)
        place = np.arange(len(deskewed)) - first[deskewed.chip]
        self._cycle[place, deskewed.chip] = deskewed.start_cycle
        self._placed = [
            self._place(sequence) for sequence in range(segment.program.sequences)
        ]
        self._by_period: dict[int, Ints] = {}
        self._next_period = 0
        # A step is a fixed number of cycles after its token's start. Its time is then
        # a sum of two known times and a carry of their parts of a ps.
        self._frequency_hz = segment.crystals.clocks.frequency_hz
        if self._frequency_hz is not None:
            self._step_hz = self._frequency_hz[segment.layout.chip]
            self._since_ps, self._parts = quotients_ps(
                segment.layout.cycle, self._step_hz
            )

    def step_ps(self, sequence: int, iteration: int) -> Ints:
        """Return the time of each step of an iteration, shape ``(steps,)``.

        It is `NEVER` if the chip has stopped.
        """
        segment, placed = self._segment, self._placed[sequence]
        while self._next_period <= iteration + placed.last_lag:
            self._run_period()
        periods = range(iteration + placed.first_lag, iteration + placed.last_lag + 1)
        offset = np.concatenate([self._by_period[period] for period in periods])
        self._by_period.pop(iteration - segment.program.sequences - 2, None)
        base = segment.dispatcher.base_cycle(sequence, iteration)
        clocks = segment.crystals.clocks
        if self._frequency_hz is None:
            step_ps = self._random_walk_ps(base + offset, placed.origin)
        else:
            begin_ps, parts = quotients_ps(base + offset, self._frequency_hz)
            begin_ps += clocks.phase_ps
            wanted = (self._frequency_hz - parts).ravel()[placed.origin]
            step_ps = begin_ps.ravel()[placed.origin] + self._since_ps
            step_ps += self._parts >= wanted
        executed = segment.executed(sequence, iteration)
        if executed is not None:
            step_ps[~executed] = NEVER
        return step_ps

    def _random_walk_ps(self, begin: Ints, origin: Ints) -> Ints:
        """Return the time of each step on crystals that follow a random walk.

        Parameters
        ----------
        begin
            Cycle of each chip's crystal at the token's start, after so many deskews,
            shape ``(rows, chips)``.
        origin
            Row of each step in it, flattened.
        """
        walk, layout = self._segment.crystals.clocks.random_walk, self._segment.layout
        assert walk is not None
        lines = walk.lines(self._chips, begin)
        parts_as = lines.parts_as[origin] + layout.cycle * lines.period_as[origin]
        step_ps: Ints = lines.first_ps[origin] + parts_as // AS_PER_PS
        cycle = lines.cycle[origin] + layout.cycle
        # Where the frequency changes within the token, the line ends.
        beyond = np.flatnonzero(cycle >= lines.end_cycle[origin])
        step_ps[beyond] = walk.edges_ps(layout.chip[beyond], cycle[beyond])
        return step_ps

    def finish(self) -> None:
        """Execute the deskews up to the end of the run."""
        while self._next_period < self._segment.periods:
            self._run_period()

    def _place(self, sequence: int) -> _Placed:
        """Return the positions of a sequence's steps."""
        program, layout = self._segment.program, self._segment.layout
        cycle = layout.cycle + sequence * program.interval_cycles
        lag, position = np.divmod(cycle, program.period_cycles)
        before = np.zeros(len(cycle), dtype=np.int64)
        for row in self._cycle:
            at = row[layout.chip]
            before += (at >= 0) & (at < position)
        first = int(lag.min(initial=0))
        row = (lag - first) * (self._most + 1) + before
        origin = row * len(self._chips) + layout.chip
        return _Placed(first, int(lag.max(initial=0)), origin)

    def _run_period(self) -> None:
        """Execute the deskews of the next period: every chip's first, second, third."""
        segment, period = self._segment, self._next_period
        crystals = segment.crystals
        table = np.empty((self._most + 1, len(self._offset)), dtype=np.int64)
        table[0] = self._offset
        base = period * segment.program.period_cycles
        rows = [np.zeros((0, 3), dtype=np.int64)]
        for place, cycles in enumerate(self._cycle):
            # The values of a chip without a deskew here are not used.
            program_cycle = base + np.maximum(cycles, 0)
            at_ps = crystals.clocks.edges_ps(self._chips, program_cycle + self._offset)
            software = segment.start.count + program_cycle
            hardware = crystals.counts_at(self._chips, at_ps)
            removed = wrapped_differences(
                software, hardware, segment.machine.hac.epoch_cycles
            )
            done = (cycles >= 0) & (program_cycle <= segment.last_cycle)
            done &= program_cycle < segment.outages.stop_cycle
            self._offset = self._offset + np.where(done, removed, 0)
            table[place + 1] = self._offset
            chips = np.flatnonzero(done)
            rows.append(np.stack([chips, at_ps[chips], removed[chips]], axis=1))
        done_rows = np.concatenate(rows)
        if len(done_rows):
            self._log.add_period(period, done_rows)
        self._by_period[period] = table
        self._next_period += 1
