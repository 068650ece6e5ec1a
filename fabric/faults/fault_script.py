"""Fault script of a run, converted to outages in program cycles of a segment.

A fault takes effect with the first program cycle that the root's crystal begins at its
time or later; the other chips are within the guard band of that. So every engine knows
in advance what a fault damages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np

from fabric.clocks.clock import Crystal
from specs.arrays import Ints
from specs.errors import SpecError
from specs.faults import ChipStops, Fault, LinkDies, LinkErrorRate
from specs.units import PS_PER_US
from topologies.topology import Topology

NEVER = 2**62


class RateChange(NamedTuple):
    """Change of a directed link's bit error rate for some program cycles."""

    link: int
    begin_cycle: int
    end_cycle: int
    ber: float


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outages:
    """Outages and error rates in program cycles.

    Parameters
    ----------
    stop_cycle
        First cycle that each chip does not execute, shape ``(chips,)``.
    dead_cycle
        First cycle at which each directed link is dead, shape ``(directed links,)``.
    rates
        Temporary bit error rates.
    """

    stop_cycle: Ints
    dead_cycle: Ints
    rates: tuple[RateChange, ...]

    @property
    def first_loss_cycle(self) -> int:
        """Return the first cycle of any stopped chip or dead link."""
        return int(
            min(self.stop_cycle.min(initial=NEVER), self.dead_cycle.min(initial=NEVER))
        )

    def stopped_at(self, cycle: int) -> frozenset[int]:
        """Return the chips that have stopped by a cycle."""
        return frozenset(np.flatnonzero(self.stop_cycle <= cycle).tolist())

    def dead_at(self, cycle: int) -> frozenset[int]:
        """Return the directed links that are dead by a cycle."""
        return frozenset(np.flatnonzero(self.dead_cycle <= cycle).tolist())


def check_faults(faults: Sequence[Fault], topology: Topology, origin: str) -> None:
    """Raise SpecError if an injected fault names a link or chip that the machine lacks.

    Parameters
    ----------
    faults
        Fault script.
    topology
        Topology of the machine.
    origin
        Origin of the script, for the message.
    """
    links = len(topology.source)
    for number, fault in enumerate(faults, start=1):
        if isinstance(fault, ChipStops) and fault.chip >= topology.chips:
            raise SpecError(
                f"{origin}: fault {number}: there is no chip {fault.chip}: the chips "
                f"of this {topology.name} are numbered 0 to {topology.chips - 1}"
            )
        if isinstance(fault, LinkDies | LinkErrorRate) and fault.link >= links:
            raise SpecError(
                f"{origin}: fault {number}: there is no link {fault.link}: the links "
                f"of this {topology.name} are numbered 0 to {links - 1}, as links.csv "
                f"lists them"
            )


def outages(
    faults: Sequence[Fault],
    topology: Topology,
    *,
    root: Crystal,
    start_cycle: int,
    zero_ps: int,
) -> Outages:
    """Return the injected faults in the program cycles of a segment.

    Parameters
    ----------
    faults
        Fault script.
    topology
        Topology of the machine.
    root
        Crystal by which cycles are counted.
    start_cycle
        Its cycle at program cycle 0 of the segment.
    zero_ps
        Global time at which the run's first token starts.
    """
    stop_cycle = np.full(topology.chips, NEVER, dtype=np.int64)
    dead_cycle = np.full(len(topology.source), NEVER, dtype=np.int64)
    rates = []

    def cycle_of(at_us: float) -> int:
        at_ps = zero_ps + round(at_us * PS_PER_US)
        if at_ps >= NEVER:
            # Beyond 53 days, which no run reaches.
            return NEVER
        return root.cycle_at(at_ps - 1) + 1 - start_cycle

    for fault in faults:
        cycle = cycle_of(fault.at_us)
        if isinstance(fault, ChipStops):
            stop_cycle[fault.chip] = min(stop_cycle[fault.chip], cycle)
        elif isinstance(fault, LinkDies):
            # The two directions of a cable are neighbours.
            both = [fault.link & ~1, fault.link | 1]
            dead_cycle[both] = np.minimum(dead_cycle[both], cycle)
        elif isinstance(fault, LinkErrorRate):
            end = cycle_of(fault.until_us)
            rates.append(RateChange(fault.link, cycle, end, fault.ber))
    return Outages(stop_cycle=stop_cycle, dead_cycle=dead_cycle, rates=tuple(rates))
