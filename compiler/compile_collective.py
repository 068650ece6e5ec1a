"""Collective compilation: the fastest algorithm for a tensor and members, as a program.

A collective is a schedule of one exchange: its algorithms, their selection and the
scheduler of messages are those of a token's exchanges.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import final

import numpy as np

from chip.dataflow import Pass
from chip.program import Program, Resident
from compiler.collectives.arguments import checked_members, tensor_vectors
from compiler.collectives.candidates import candidates
from compiler.collectives.collective_dataflow import CollectiveDataflow
from compiler.collectives.exchange_selection import (
    MOST_TRAINS,
    ExchangeSelector,
    Selected,
)
from compiler.collectives.phases import Algorithm, Candidate
from compiler.cost.guard_band import Tolerance
from compiler.cost.link_timing import LinkTiming, hop_cycles, link_timing
from compiler.ir.dataflow_emission import emit_dataflow
from compiler.ir.timeline import Timeline, TransportEntry
from compiler.routing.message_scheduler import MessageScheduler
from compiler.scheduling.collective_deskews import (
    longest_interval_cycles,
    spanning_interval_cycles,
)
from compiler.scheduling.collective_timeline import (
    CollectiveTimeline,
    collective_program,
    collective_timeline,
)
from specs.arrays import Ints
from specs.errors import ScheduleError, nearest
from specs.machine import MachineSpec
from topologies.routing.spanning_tree import alignment_tree
from topologies.routing.static_routes import Routes
from topologies.topology import Topology
from workloads.collective import Collective, CollectivePlan


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CollectiveSchedule:
    """Static schedule of one collective.

    Parameters
    ----------
    kind, algorithm, form
        Collective and algorithm, with its form where it has several.
    chips
        Members in order, shape ``(members,)``.
    payload_bytes
        Bytes of the tensor.
    program
        Every instruction and every train at its cycle.
    timeline
        Timeline that the program implements.
    reason
        Why this algorithm was selected, with the cycles of the others.
    """

    kind: Collective
    algorithm: Algorithm
    form: str
    chips: Ints
    payload_bytes: int
    program: Program
    timeline: Timeline
    reason: str

    @property
    def plan(self) -> CollectivePlan:
        """Return what the program must compute."""
        return CollectivePlan(self.kind, self.chips, self.payload_bytes)

    @property
    def latency_cycles(self) -> int:
        """Return the latency: cycles from the start to the last result in SRAM."""
        return self.program.token_cycles

    @property
    def network_cycles(self) -> int:
        """Return the network time in cycles: all but additions and deskews."""
        spent = self.timeline.spent
        return spent.total - spent.compute - spent.deskew

    @property
    def vectors(self) -> int:
        """Return the vectors that are sent, each counted once on its path."""
        trains = self.program.trains
        return int(trains.vectors[trains.previous < 0].sum(dtype=np.int64))

    @property
    def vector_hops(self) -> int:
        """Return the vector hops: the links that all vectors cross, added up."""
        return int(self.program.trains.vectors.sum(dtype=np.int64))


def compile_collective(
    topology: Topology,
    machine: MachineSpec,
    kind: Collective | str,
    chips: Ints,
    *,
    payload_bytes: int,
    algorithm: Algorithm | str = Algorithm.AUTO,
    most_paths: int | None = None,
) -> CollectiveSchedule:
    """Compile a single collective into a static schedule.

    Parameters
    ----------
    topology, machine
        Links and chips.
    kind
        Collective, or its key.
    chips
        Members in order, shape ``(members,)``. The first is the root of a broadcast; a
        point-to-point message goes from the first to the second.
    payload_bytes
        Bytes of the tensor: what each chip holds before an all-reduce, reduce-scatter
        or all-to-all, and after an all-gather or broadcast.
    algorithm
        Algorithm, or its key; ``auto`` for the fastest.
    most_paths
        Paths over which a point-to-point tensor may be spread; all if None.

    Raises
    ------
    ScheduleError
        If the members or the payload are invalid, the algorithm does not apply, or no
        guard band holds.
    """
    kind = Collective(_known(kind, Collective, "collective"))
    algorithm = Algorithm(_known(algorithm, Algorithm, "algorithm"))
    chips = checked_members(topology, kind, chips)
    vectors = tensor_vectors(machine, kind, len(chips), payload_bytes)
    leader = int(chips[0])
    tolerance = Tolerance(
        machine=machine, tree_height=alignment_tree(topology, machine, leader).height
    )
    limit_cycles = longest_interval_cycles(tolerance)
    routes = Routes(topology)

    def links(interval_cycles: int) -> tuple[LinkTiming, MessageScheduler]:
        guard_cycles = tolerance.guard_cycles(interval_cycles)
        timing = link_timing(topology, machine, guard_cycles)
        return timing, MessageScheduler(topology, machine, routes, timing)

    # A first guess: one hop of the whole tensor.
    interval_cycles = spanning_interval_cycles(
        tolerance, hop_cycles(machine, vectors), limit_cycles
    )
    timing, transfers = links(interval_cycles)
    found = candidates(
        topology,
        machine,
        kind,
        chips=chips,
        payload_bytes=payload_bytes,
        timing=timing,
        wanted=algorithm,
        most_paths=most_paths,
    )
    selector = ExchangeSelector(machine, transfers)
    ranked = selector.selected(found)
    best = ranked[0].candidate
    schedule = partial(
        collective_timeline,
        selector,
        machine,
        phases=ranked[0].phases,
        chips=chips,
        flow=CollectiveDataflow(kind, ranked[0].phases, chips),
    )
    made = schedule(transfers=transfers, interval_cycles=limit_cycles)
    # Now that the length is known, the guard can be what its drift needs.
    interval_cycles = spanning_interval_cycles(
        tolerance, made.timeline.token_cycles, limit_cycles
    )
    _, transfers = links(interval_cycles)
    made = schedule(transfers=transfers, interval_cycles=interval_cycles)
    return CollectiveSchedule(
        kind=kind,
        algorithm=best.algorithm,
        form=best.form,
        chips=chips,
        payload_bytes=payload_bytes,
        program=_program(
            topology,
            machine,
            made,
            chips=chips,
            payload_bytes=payload_bytes,
            interval_cycles=interval_cycles,
            guard_cycles=tolerance.guard_cycles(interval_cycles),
        ),
        timeline=made.timeline,
        reason=_reason(found, ranked, made.timeline, vectors, machine),
    )


def _known(name: str, keys: type[StrEnum], what: str) -> str:
    """Return `name` if it is one of the keys; the error suggests the nearest."""
    known = [key.value for key in keys]
    if name not in known:
        raise ScheduleError(f"no {what} {name!r}; {nearest(name, known)}")
    return name


def _program(
    topology: Topology,
    machine: MachineSpec,
    made: CollectiveTimeline,
    *,
    chips: Ints,
    payload_bytes: int,
    interval_cycles: int,
    guard_cycles: int,
) -> Program:
    """Return the program of a scheduled collective."""
    if made.timeline.trains > MOST_TRAINS:
        raise ScheduleError(
            f"the schedule has {made.timeline.trains:,} trains, and {MOST_TRAINS:,} "
            f"are what 5 GB of memory hold; use --algorithm hierarchical or fewer chips"
        )
    resident = Resident(
        *np.zeros((len(Resident._fields), topology.chips), dtype=np.int64)
    )
    resident.program[:] = machine.chip.program_reserve_bytes
    resident.activations[chips] = payload_bytes
    return collective_program(
        made,
        topology,
        machine,
        leader=int(chips[0]),
        resident=resident,
        interval_cycles=interval_cycles,
        guard_cycles=guard_cycles,
        dataflow=emit_dataflow(made.timeline, [Pass(1, 1, 1, 1)]),
    )


def _reason(
    found: list[Candidate],
    ranked: list[Selected],
    timeline: Timeline,
    vectors: int,
    machine: MachineSpec,
) -> str:
    """Return why the best was selected, with the cycles of all, in one sentence."""
    best, *others = ranked
    stages = sum(isinstance(entry, TransportEntry) for entry in timeline.entries)
    told = (
        f"{best.candidate} takes {timeline.token_cycles - timeline.spent.deskew:,} "
        f"cycles and {timeline.trains:,} trains for {vectors:,} vectors in {stages} "
        f"stages"
    )
    if len(found) == 1:
        return f"{told}; nothing else applies"
    timed = {str(one.candidate) for one in ranked}
    listed = [f"{one.candidate} {one.cycles:,} and {one.trains:,}" for one in others]
    listed += [
        f"{one} at least {one.steps * hop_cycles(machine, 1):,}"
        for one in found
        if str(one) not in timed
    ]
    return f"{told}; {', '.join(listed)}"
