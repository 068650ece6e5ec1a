"""Crystals of all chips with random offsets, constant or in a random walk."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from fabric.clocks.clock import Clock, Crystal, cycles_at, edges_ps
from fabric.clocks.hac import AlignedCounter
from fabric.clocks.random_walk import RandomWalk
from fabric.clocks.random_walk_clock import RandomWalkClock
from fabric.random_streams import Draws, Stream
from specs.arrays import Floats, Ints
from specs.machine import MachineSpec
from specs.units import AS_PER_S, PPM, PS_PER_S


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Clocks:
    """Clocks of all chips, in chip order.

    Parameters
    ----------
    each
        Crystal of each chip.
    offset_ppm
        Offset of each crystal from nominal at the start.
    random_walk
        Random walk of all crystals, None if they are constant.
    """

    each: tuple[Crystal, ...]
    offset_ppm: tuple[float, ...]
    random_walk: RandomWalk | None

    @cached_property
    def frequency_hz(self) -> Ints | None:
        """Return the frequency of each constant crystal, None in a random walk."""
        if self.random_walk is not None:
            return None
        return np.array([clock.stretch_at(0).unit for clock in self.each])

    @cached_property
    def phase_ps(self) -> Ints:
        """Return the global time of cycle 0 of each crystal."""
        return np.array([clock.stretch_at(0).first_ps for clock in self.each])

    @cached_property
    def initial(self) -> tuple[Clock, ...]:
        """Return clocks that keep the frequencies of the start, to whole hertz."""
        first = [clock.stretch_at(0) for clock in self.each]
        return tuple(
            Clock(
                frequency_hz=round(each.unit * PS_PER_S / each.step),
                phase_ps=each.first_ps,
            )
            for each in first
        )

    @property
    def alike(self) -> bool:
        """Return whether all crystals have the same edges throughout."""
        hz, phase_ps = self.frequency_hz, self.phase_ps
        return hz is not None and not np.ptp(hz) and not np.ptp(phase_ps)

    def edges_ps(self, chips: Ints, cycles: Ints) -> Ints:
        """Return when each cycle begins by its chip's crystal, in ps, rounded down."""
        if self.random_walk is not None:
            return self.random_walk.edges_ps(chips, cycles)
        assert self.frequency_hz is not None
        return edges_ps(cycles, self.frequency_hz[chips], self.phase_ps[chips])

    def cycles_at(self, chips: Ints, times_ps: Ints) -> Ints:
        """Return the cycle running on each chip at a time: the last edge not after."""
        if self.random_walk is not None:
            return self.random_walk.cycles_at(chips, times_ps)
        assert self.frequency_hz is not None
        return cycles_at(times_ps, self.frequency_hz[chips], self.phase_ps[chips])

    def periods_as(self, chips: Ints, times_ps: Ints) -> Ints:
        """Return the clock period of each chip at a global time, in as."""
        if self.random_walk is not None:
            return self.random_walk.periods_as(chips, times_ps)
        assert self.frequency_hz is not None
        period_as: Ints = AS_PER_S // self.frequency_hz[chips]
        return period_as


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Crystals:
    """Clocks and aligned counters of all chips.

    Parameters
    ----------
    clocks
        Crystals of the chips.
    counters
        Aligned counters of the chips.
    root
        Crystal of the chip that the counters track.
    bring_up_epochs
        Epochs from the first exchange over the links of the tree until the counters
        have settled.
    """

    clocks: Clocks
    counters: tuple[AlignedCounter, ...]
    root: Crystal
    bring_up_epochs: int = 0

    @property
    def alike(self) -> bool:
        """Return whether all crystals and counters agree throughout."""
        return not self.error_counts.any() and self.clocks.alike

    @cached_property
    def error_counts(self) -> Ints:
        """Return the offset of each counter from the root's, in counts."""
        return np.array([counter.error_counts for counter in self.counters])

    def counts_at(self, chips: Ints, times_ps: Ints) -> Ints:
        """Return `AlignedCounter.count_at` of each chip's counter at a time."""
        return self.root.cycles_at(times_ps) + self.error_counts[chips]

    def start_cycles(self, chips: Ints, counts: Ints) -> Ints:
        """Return `AlignedCounter.start_cycle` of each chip at a count."""
        first_ps = self.root.edges_ps(counts - self.error_counts[chips])
        cycle = self.clocks.cycles_at(chips, first_ps)
        later: Ints = cycle + (self.clocks.edges_ps(chips, cycle) != first_ps)
        return later


def make_clocks(machine: MachineSpec, chips: int, first: int, draws: Draws) -> Clocks:
    """Return the simulated clocks, with offsets uniform within ``+/- drift_ppm``.

    Parameters
    ----------
    machine
        Frequency, largest error, and clock model.
    chips
        Chips of the machine.
    first
        Chip whose crystal begins at global time 0: the root of the first segment.
    draws
        Random numbers of the run.
    """
    drift_ppm, hz = machine.clock.largest_error_ppm, machine.chip.clock_hz
    numbers = np.arange(chips)
    offset_ppm = drift_ppm * (2 * draws.uniform(Stream.CRYSTAL, numbers) - 1)
    phase_ps = np.zeros(chips, dtype=np.int64)
    if drift_ppm > 0:
        period_ps = PS_PER_S // hz
        phase_ps = (draws.uniform(Stream.PHASE, numbers) * period_ps).astype(np.int64)
    phase_ps[first] = 0
    if machine.clock.model == "walk" and drift_ppm > 0:
        random_walk = RandomWalk(
            hz,
            bound_ppm=drift_ppm,
            step_ppm=machine.clock.walk_step_ppm,
            stretch_cycles=machine.clock.walk_stretch_cycles,
            first_error_ppm=offset_ppm,
            phase_ps=phase_ps,
            steps=_steps(draws, numbers),
        )
        return Clocks(
            each=tuple(RandomWalkClock(random_walk, chip) for chip in range(chips)),
            offset_ppm=tuple(offset_ppm.tolist()),
            random_walk=random_walk,
        )
    each = tuple(
        Clock.with_offset(hz, ppm, phase)
        for ppm, phase in zip(offset_ppm.tolist(), phase_ps.tolist(), strict=True)
    )
    return Clocks(
        each=each,
        offset_ppm=tuple((clock.frequency_hz / hz - 1) * PPM for clock in each),
        random_walk=None,
    )


def _steps(draws: Draws, chips: NDArray[np.int64]) -> Callable[[int], Floats]:
    """Return the function of a clock's random steps before a stretch, in (-1, 1)."""
    return lambda stretch: 2 * draws.uniform(Stream.WALK, chips, stretch) - 1
