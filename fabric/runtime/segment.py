"""Segment of a run: the values that every engine starts from.

A segment is a program on one set of chips, from their alignment to the last token or to
the failure that moves the program to other chips.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from chip.program import Program
from fabric.clocks.crystals import Crystals
from fabric.clocks.start_propagation import Start
from fabric.faults.delivery import Delivery
from fabric.faults.fault_script import Outages
from fabric.faults.link_errors import LinkErrors
from fabric.faults.replay_policy import Dispatcher
from fabric.links.latency import Jitter, least_latency_ps
from fabric.random_streams import Draws, Stream, component_keys, ordinals
from fabric.results.iteration_log import NEVER
from fabric.results.result import Failover
from fabric.runtime.step_layout import StepLayout
from specs.arrays import Ints
from specs.machine import MachineSpec
from topologies.topology import Topology


@final
@dataclass(frozen=True, kw_only=True)
class Segment:
    """Segment of a run: program, hardware, random draws and faults.

    Parameters
    ----------
    program, topology, machine
        Program, and the machine that executes it.
    layout
        Steps of the program.
    draws
        Random numbers of the run.
    crystals
        Clocks and aligned counters.
    errors, outages
        Bit errors of the trains, and outages of the fault script.
    dispatcher, delivery
        Runtime on the host, and the iterations that it dispatches.
    first_iteration
        Iterations of the segments before.
    start
        Start of each chip.
    failovers
        Failovers that led to this segment, in order; none at the start of a run.
    """

    program: Program
    topology: Topology
    machine: MachineSpec
    layout: StepLayout
    draws: Draws
    crystals: Crystals
    errors: LinkErrors
    outages: Outages
    dispatcher: Dispatcher
    delivery: Delivery
    first_iteration: int
    start: Start
    failovers: tuple[Failover, ...] = ()

    @property
    def vector_ps(self) -> int:
        """Return the serialisation time of a vector, in whole ps."""
        return int(self.machine.line.vector_ps)

    @property
    def jitter_span_ps(self) -> int:
        """Return the largest jitter that any train draws, beyond the minimum."""
        return self._jitter.most_ps

    @cached_property
    def least_latency_ps(self) -> Ints:
        """Return the minimum latency of each train's link, shape ``(trains,)``."""
        return least_latency_ps(self.machine, self.topology)[self.program.trains.link]

    @cached_property
    def _jitter_keys(self) -> NDArray[np.uint64]:
        """Return the random key of each train: its link and its ordinal there."""
        link = self.program.trains.link
        return self.draws.keys(Stream.JITTER, component_keys(link, ordinals(link)))

    @cached_property
    def _jitter(self) -> Jitter:
        """Return the jitter of the links."""
        return Jitter(self.machine, self.topology)

    def latency_ps(self, sequence: int, iteration: int) -> Ints:
        """Return the latency of each train of an iteration, shape ``(trains,)``.

        It is `NEVER` if the train is lost.
        """
        latency = self.least_latency_ps
        if self.machine.link.jitter_cycles:
            event = self.dispatcher.event(sequence, iteration)
            bits = self.draws.bits_of(Stream.JITTER, self._jitter_keys, event)
            latency = latency + self._jitter.ps(self.program.trains.link, bits)
        attempt = self.delivery.attempts[sequence][iteration]
        if attempt.lost:
            latency = latency.copy()
            latency[self.dispatcher.lost(sequence, iteration)] = NEVER
        return latency

    def executed(self, sequence: int, iteration: int) -> NDArray[np.bool_] | None:
        """Return which steps of an iteration are executed, None if all are."""
        if not self.delivery.attempts[sequence][iteration].halted:
            return None
        base = self.dispatcher.base_cycle(sequence, iteration)
        stop = self.outages.stop_cycle[self.layout.chip]
        executed: NDArray[np.bool_] = base + self.layout.cycle < stop
        return executed

    @property
    def steady(self) -> bool:
        """Return whether all iterations have the same times relative to their start."""
        return self.crystals.alike and not self.machine.link.jitter_cycles

    def scheduled_ps(self, cycle: int) -> int:
        """Return the time at which a program cycle begins by the root's crystal."""
        root_start = self.start.cycle[self.program.leader]
        return self.crystals.root.edge_ps(root_start + cycle)

    @property
    def last_cycle(self) -> int:
        """Return the program cycle at which the last iteration ends."""
        return self.dispatcher.last_cycle(self.delivery)

    @property
    def periods(self) -> int:
        """Return the periods of the program until its end."""
        return self.last_cycle // self.program.period_cycles + 1
