"""Compiling a collective: the fastest algorithm for its size and members, as a program.

Candidates are laid on the links in the order of what they take at least, until none is
left whose bound is below the best schedule found: the fastest of all is found without
laying them all.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import final

import numpy as np

from chip.program import Program, Resident
from compiler.collectives.arguments import checked_members, tensor_vectors
from compiler.collectives.candidates import Candidate, candidates
from compiler.collectives.stage_scheduler import (
    CollectiveTimeline,
    StageScheduler,
    deskews_of,
)
from compiler.collectives.stages import Algorithm, Collective
from compiler.cost.guard_band import Tolerance
from compiler.cost.link_timing import hop_cycles, link_timing
from compiler.ir.program_emission import emit
from compiler.ir.timeline import Timeline, TransportEntry
from compiler.scheduling.train_count import MOST_TRAINS
from specs.arrays import Ints
from specs.errors import ScheduleError, nearest
from specs.machine import MachineSpec
from specs.units import ceil_div
from topologies.routing.spanning_tree import alignment_tree
from topologies.topology import Topology


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CollectiveSchedule:
    """The static schedule of one collective.

    Parameters
    ----------
    kind, algorithm, form
        What is done and how.
    chips
        Members in order, shape ``(members,)``.
    payload_bytes
        Bytes of the tensor.
    program
        Every instruction and every train at its cycle.
    timeline
        The chain that the program carries out.
    reason
        Why this algorithm.
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
    def latency_cycles(self) -> int:
        """Return the cycles from the start to the last result in SRAM."""
        return self.program.token_cycles

    @property
    def network_cycles(self) -> int:
        """Return the cycles spent in the network: all but additions and deskews."""
        spent = self.timeline.spent
        return spent.total - spent.compute - spent.deskew

    @property
    def vectors(self) -> int:
        """Return the vectors that are sent, each counted once on its way."""
        trains = self.program.trains
        return int(trains.vectors[trains.previous < 0].sum(dtype=np.int64))

    @property
    def vector_hops(self) -> int:
        """Return the links that all vectors cross together."""
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
    """Return the schedule of a collective.

    Parameters
    ----------
    topology, machine
        Where it is carried out.
    kind
        What is done.
    chips
        Members in order, shape ``(members,)``. The first is the root of a broadcast; a
        point-to-point message goes from the first to the second.
    payload_bytes
        Bytes of the tensor: what each chip holds before an all-reduce, reduce-scatter
        or all-to-all, and after an all-gather or broadcast.
    algorithm
        How; ``auto`` for the fastest.
    most_paths
        Paths over which a point-to-point tensor may be spread; all there are if None.

    Raises
    ------
    ScheduleError
        If the members or the payload cannot be meant, the algorithm does not apply, or
        no guard band holds.
    """
    kind = Collective(_known(kind, Collective, "collective"))
    algorithm = Algorithm(_known(algorithm, Algorithm, "algorithm"))
    chips = checked_members(topology, kind, chips)
    vectors = tensor_vectors(machine, kind, len(chips), payload_bytes)
    leader = int(chips[0])
    tolerance = Tolerance(
        machine=machine, tree_height=alignment_tree(topology, machine, leader).height
    )
    limit_cycles = _longest_interval(tolerance)
    # A first guess: one hop of the whole tensor.
    guard_cycles = tolerance.guard_cycles(
        _spanning(tolerance, hop_cycles(machine, vectors), limit_cycles)
    )
    timing = link_timing(topology, machine, guard_cycles)
    ways = candidates(
        topology,
        machine,
        kind,
        chips=chips,
        vectors=vectors,
        timing=timing,
        wanted=algorithm,
        most_paths=most_paths,
    )
    layer = StageScheduler(topology, machine, timing)
    laid = {str(ways[0]): layer.chain(ways[0].stages, limit_cycles)}
    best = ways[0]
    for way in ways[1:]:
        least = laid[str(best)].timeline.token_cycles
        if way.bound_cycles >= least:
            break
        laid[str(way)] = chain = layer.chain(way.stages, limit_cycles)
        if chain.timeline.token_cycles < least:
            best = way
    # Now that the length is known, the guard can be what its drift needs.
    interval_cycles = _spanning(
        tolerance, laid[str(best)].timeline.token_cycles, limit_cycles
    )
    if tolerance.guard_cycles(interval_cycles) != guard_cycles:
        guard_cycles = tolerance.guard_cycles(interval_cycles)
        layer = StageScheduler(
            topology, machine, link_timing(topology, machine, guard_cycles)
        )
    chain = layer.chain(best.stages, interval_cycles)
    return CollectiveSchedule(
        kind=kind,
        algorithm=best.algorithm,
        form=best.form,
        chips=chips,
        payload_bytes=payload_bytes,
        program=_program(
            topology,
            machine,
            chain,
            chips=chips,
            payload_bytes=payload_bytes,
            interval_cycles=interval_cycles,
            guard_cycles=guard_cycles,
        ),
        timeline=chain.timeline,
        reason=_reason(ways, laid, best, vectors),
    )


def _known(name: str, words: type[StrEnum], what: str) -> str:
    known = [word.value for word in words]
    if name not in known:
        raise ScheduleError(f"no {what} {name!r}; {nearest(name, known)}")
    return name


def _longest_interval(tolerance: Tolerance) -> int:
    """Return the deskew interval that is set, or the longest that drift allows."""
    wanted = tolerance.machine.deskew.interval_epochs
    if wanted != "auto":
        return tolerance.checked_interval(wanted)
    if tolerance.relative_ppm == 0:
        return 0
    epoch = tolerance.machine.hac.epoch_cycles
    epochs = tolerance.longest_interval_cycles // epoch
    # One epoch to deskew and two to send, at least.
    return max(epochs * epoch, tolerance.checked_interval(3))


def _spanning(tolerance: Tolerance, cycles: int, limit_cycles: int) -> int:
    """Return a deskew interval that spans a schedule, if that is allowed."""
    if tolerance.machine.deskew.interval_epochs != "auto":
        return limit_cycles
    epoch = tolerance.machine.hac.epoch_cycles
    # It begins with a deskew, and the guard may widen by a cycle or two a hop.
    return min(ceil_div(cycles, epoch) * epoch + 2 * epoch, limit_cycles)


def _program(
    topology: Topology,
    machine: MachineSpec,
    chain: CollectiveTimeline,
    *,
    chips: Ints,
    payload_bytes: int,
    interval_cycles: int,
    guard_cycles: int,
) -> Program:
    if chain.timeline.trains > MOST_TRAINS:
        raise ScheduleError(
            f"the schedule has {chain.timeline.trains:,} trains, and {MOST_TRAINS:,} "
            f"are what 5 GB of memory hold; use --algorithm hierarchical or fewer chips"
        )
    instructions, trains, kinds = emit(
        chain.timeline, topology, machine.chip, int(chips[0])
    )
    kept = Resident(*np.zeros((len(Resident._fields), topology.chips), dtype=np.int64))
    kept.program[:] = machine.chip.program_reserve_bytes
    kept.activations[chips] = payload_bytes
    total = chain.timeline.token_cycles
    return Program(
        chips=topology.chips,
        instructions=instructions,
        trains=trains,
        kinds=kinds,
        resident=kept,
        deskews=deskews_of(
            chain,
            topology,
            interval_cycles=interval_cycles,
            stall_cycles=machine.hac.epoch_cycles,
        ),
        period_cycles=total,
        token_cycles=total,
        sequences=1,
        interval_cycles=0,
        leader=int(chips[0]),
        guard_cycles=guard_cycles,
    )


def _reason(
    ways: list[Candidate],
    laid: dict[str, CollectiveTimeline],
    best: Candidate,
    vectors: int,
) -> str:
    """Return why the best was chosen, with numbers, in one sentence."""
    chain = laid[str(best)].timeline
    stages = sum(isinstance(entry, TransportEntry) for entry in chain.entries)
    told = (
        f"{best} takes {chain.token_cycles:,} cycles for {vectors:,} vectors in "
        f"{stages} stages"
    )
    others = [
        f"{way} {laid[str(way)].timeline.token_cycles:,}"
        if str(way) in laid
        else f"{way} at least {way.bound_cycles:,}"
        for way in ways
        if way is not best
    ]
    return f"{told}; {', '.join(others)}" if others else f"{told}; nothing else applies"
