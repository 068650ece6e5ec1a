"""Putting a machine together from its numbers, its wiring and a seed."""

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from chip.clock import Clock, Crystal, edges_ps
from chip.hac import AlignedCounter
from chip.wander import Wander
from fabric.draws import Draws, Stream
from specs.machine import MachineSpec
from specs.units import AS_PER_S, PS_PER_S
from topologies.topology import Topology
from topologies.tree import SpanningTree


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Crystals:
    """Every chip's clock and aligned counter, in chip order, and the root's clock.

    Parameters
    ----------
    clocks, counters
        Of each chip.
    root
        Clock of the chip that the counters follow.
    offset_ppm
        How far each crystal is from nominal at the start.
    wander
        The crystals together if they wander, None if they are constant.
    """

    clocks: tuple[Crystal, ...]
    counters: tuple[AlignedCounter, ...]
    root: Crystal
    offset_ppm: tuple[float, ...]
    wander: Wander | None = None

    @cached_property
    def frequency_hz(self) -> NDArray[np.int64] | None:
        """Return the frequency of each constant crystal, None if they wander."""
        if self.wander is not None:
            return None
        return np.array([clock.stretch_at(0).unit for clock in self.clocks])

    @cached_property
    def phase_ps(self) -> NDArray[np.int64]:
        """Return the global time of cycle 0 of each crystal."""
        return np.array([clock.stretch_at(0).first_ps for clock in self.clocks])

    @property
    def alike(self) -> bool:
        """Return whether all crystals and counters do the same for ever."""
        hz, phase_ps = self.frequency_hz, self.phase_ps
        errors = any(counter.error_counts for counter in self.counters)
        return not errors and hz is not None and not np.ptp(hz) and not np.ptp(phase_ps)

    def edges_ps(
        self, chips: NDArray[np.int64], cycles: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return when each cycle begins by its chip's crystal, in ps, rounded down."""
        if self.wander is not None:
            return self.wander.edges_ps(chips, cycles)
        assert self.frequency_hz is not None
        return edges_ps(cycles, self.frequency_hz[chips], self.phase_ps[chips])

    def periods_as(
        self, chips: NDArray[np.int64], times_ps: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return the period of each chip's crystal at a global time, in as."""
        if self.wander is not None:
            return self.wander.periods_as(chips, times_ps)
        assert self.frequency_hz is not None
        period_as: NDArray[np.int64] = AS_PER_S // self.frequency_hz[chips]
        return period_as


def make_crystals(machine: MachineSpec, tree: SpanningTree, draws: Draws) -> Crystals:
    """Return clocks that are off by chance, and counters that follow the root.

    Offsets are uniform within ``+/- drift_ppm``; the counter of a chip adds, at each
    level of the tree, an error of up to `tracking_error_counts` either way. Clocks
    without drift, and links without jitter, have nothing to be wrong about.
    """
    chips = np.arange(len(tree.parent))
    drift_ppm = machine.clock.largest_error_ppm
    hz = machine.chip.clock_hz
    offset_ppm = drift_ppm * (2 * draws.uniform(Stream.CRYSTAL, chips) - 1)
    phase_ps = np.zeros(len(chips), dtype=np.int64)
    errors = np.zeros(len(chips), dtype=np.int64)
    if drift_ppm > 0:
        period_ps = PS_PER_S // hz
        phase_ps = (draws.uniform(Stream.PHASE, chips) * period_ps).astype(np.int64)
    if drift_ppm > 0 or machine.link.jitter_cycles > 0:
        errors = _counter_errors(machine, tree, draws)
    # The root's counter is what the others follow: it counts from global time 0.
    phase_ps[tree.root] = 0
    clocks = tuple(
        Clock.with_offset(hz, float(ppm), int(phase))
        for ppm, phase in zip(offset_ppm, phase_ps, strict=True)
    )
    root = clocks[tree.root]
    counters = tuple(
        AlignedCounter(root=root, error_counts=int(error)) for error in errors
    )
    return Crystals(
        clocks=clocks,
        counters=counters,
        root=root,
        offset_ppm=tuple((clock.frequency_hz / hz - 1) * 1e6 for clock in clocks),
    )


def _counter_errors(
    machine: MachineSpec, tree: SpanningTree, draws: Draws
) -> NDArray[np.int64]:
    most = machine.hac.tracking_error_counts
    chips = np.arange(len(tree.parent))
    uniform = draws.uniform(Stream.COUNTER, chips)
    step = np.floor(uniform * (2 * most + 1)).astype(np.int64) - most
    step[tree.root] = 0
    errors = step.copy()
    for depth in range(1, tree.height + 1):
        level = np.flatnonzero(tree.depth == depth)
        errors[level] += errors[tree.parent[level]]
    return errors


def least_latency_ps(machine: MachineSpec, topology: Topology) -> NDArray[np.int64]:
    """Return the least latency of each directed link with cable and decoder, in ps."""
    lengths, kind = np.unique(topology.length_m, return_inverse=True)
    extra_ps = np.array([machine.cable_extra_ps(length) for length in lengths])
    decode = machine.fec.parameters.decode_cycles
    fixed_ps = machine.cycles_to_ps(machine.link.latency_cycles + decode)
    return (fixed_ps + extra_ps[kind]).astype(np.int64)


def jitter_ps(machine: MachineSpec, bits: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the jitter for each 64 random bits: a clipped normal, in ps.

    Mean, spread and range are those of the HAC exchanges in isca22 table 2.
    """
    link = machine.link
    if link.jitter_cycles == 0:
        return np.zeros(len(bits), dtype=np.int64)
    uniform = ((bits >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
    fraction = link.jitter_mean_fraction + link.jitter_std_fraction * ndtri(uniform)
    span_ps = machine.cycles_to_ps(link.jitter_cycles)
    return np.floor(np.clip(fraction, 0.0, 1.0) * span_ps).astype(np.int64)
