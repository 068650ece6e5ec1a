"""What a run is made of: the values that every engine starts from."""

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
import simpy
from numpy.typing import NDArray

from chip.program import Program
from fabric.alignment import Alignment, Start
from fabric.assembly import Crystals, jitter_ps, least_latency_ps, make_crystals
from fabric.delivery import Delivery, LinkErrors, plan_delivery
from fabric.draws import Draws, Stream
from fabric.loading import Layout, lay_out
from specs.machine import MachineSpec
from specs.units import BITS_PER_BYTE, PS_PER_NS
from topologies.topology import Topology
from topologies.tree import spanning_tree

Ints = NDArray[np.int64]


@final
@dataclass(frozen=True, kw_only=True)
class Run:
    """A program on assembled hardware, with all that chance decides.

    Parameters
    ----------
    program, topology, machine
        What runs, on which wiring, of which parts.
    layout
        The program's steps.
    draws
        The source of chance.
    crystals
        Clocks and aligned counters.
    errors, delivery
        What the links do to the trains, and the iterations that it makes necessary.
    start
        When each chip begins.
    alignment_events
        Events that it took to agree on it.
    """

    program: Program
    topology: Topology
    machine: MachineSpec
    layout: Layout
    draws: Draws
    crystals: Crystals
    errors: LinkErrors
    delivery: Delivery
    start: Start
    alignment_events: int

    @property
    def vector_ps(self) -> int:
        """Return the time of a vector on the wire."""
        link = self.machine.link
        return link.wire_bytes * BITS_PER_BYTE * PS_PER_NS // link.rate_gbps

    @property
    def jitter_span_ps(self) -> int:
        """Return the most that a train may come later than another."""
        return self.machine.cycles_to_ps(self.machine.link.jitter_cycles)

    @cached_property
    def least_latency_ps(self) -> Ints:
        """Return the least latency of each train's link, shape ``(trains,)``."""
        return least_latency_ps(self.machine, self.topology)[self.program.trains.link]

    def latency_ps(self, sequence: int, iteration: int) -> Ints:
        """Return the latency of each train of an iteration, shape ``(trains,)``."""
        if not self.machine.link.jitter_cycles:
            return self.least_latency_ps
        event = self.errors.event(sequence, iteration)
        uniform = self.draws.uniform(Stream.JITTER, self.errors.keys, event)
        return self.least_latency_ps + jitter_ps(self.machine, uniform)

    @property
    def last_cycle(self) -> int:
        """Return the program cycle at which the last iteration ends."""
        program = self.program
        return max(
            (iterations - 1) * program.period_cycles
            + program.token_cycles
            + sequence * program.interval_cycles
            for sequence, iterations in enumerate(self.delivery.iterations)
        )

    @property
    def periods(self) -> int:
        """Return the periods of the program until its end."""
        return self.last_cycle // self.program.period_cycles + 1


def assemble(
    program: Program,
    topology: Topology,
    machine: MachineSpec,
    *,
    seed: int,
    tokens: int,
) -> Run:
    """Return a run ready to be executed, its chips aligned.

    Raises
    ------
    ScheduleError
        If the chips cannot be aligned.
    """
    draws = Draws(seed)
    tree = spanning_tree(topology, program.leader)
    crystals = make_crystals(machine, tree, draws)
    errors = LinkErrors(machine, program, draws)
    alignment = Alignment(
        simpy.Environment(),
        machine,
        topology,
        tree=tree,
        crystals=crystals,
        draws=draws,
    )
    start = alignment.run()
    return Run(
        program=program,
        topology=topology,
        machine=machine,
        layout=lay_out(program),
        draws=draws,
        crystals=crystals,
        errors=errors,
        delivery=plan_delivery(errors, program.sequences, tokens),
        start=start,
        alignment_events=alignment.events,
    )
