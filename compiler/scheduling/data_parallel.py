"""Replicas at work side by side: one program for all, on links that some may share.

Every replica is a chain of its own on chips of its own, and all of them begin a token
together. Its vectors pass no chip of another replica if there is a way around, so that
replicas of whole nodes share no wire. Where two would be on the same wire at the same
time all the same, the later replica starts a little later.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from chip.program import Instructions, Slice
from compiler.ir.program_emission import emit
from compiler.ir.timeline import LoadEntry, Timeline, TimelineEntry
from compiler.ir.transfers import CycleBreakdown
from compiler.scheduling.initiation_interval import MOST_PORTS
from sharding.planner.plan import ShardingPlan
from specs.arrays import Ints
from specs.machine import ChipSpec
from topologies.outage import Outage
from topologies.routing.breadth_first import UNREACHABLE, hop_counts
from topologies.topology import Topology


def replica_outage(
    plan: ShardingPlan, replica: int, topology: Topology, outage: Outage
) -> Outage:
    """Return what the vectors of a replica go around.

    Parameters
    ----------
    plan
        The plan of all replicas.
    replica
        Which of them it is.
    topology
        The wiring.
    outage
        What of it is out of order.

    Returns
    -------
    Outage
        Also the chips of all other replicas, unless that leaves some chips of this one
        without a way to each other.
    """
    own = {int(c) for s in plan.replicas[replica].stages for c in s.chips}
    others = {int(c) for stage in plan.stages for c in stage.chips} - own
    around = replace(outage, chips=outage.chips | others)
    chips = sorted(own)
    reached = hop_counts(around.adjacency(topology), chips[:1])[chips, 0]
    return outage if (reached == UNREACHABLE).any() else around


def side_by_side(
    chains: Sequence[Timeline],
    topology: Topology,
    chip: ChipSpec,
    *,
    apart_cycles: int,
) -> Timeline:
    """Return the chains of all replicas as one, none on a wire that another is on.

    Parameters
    ----------
    chains
        A token of each replica, from its own start.
    topology, chip
        The wiring, and the processor.
    apart_cycles
        Least time between the starts of two replicas.

    Returns
    -------
    Timeline
        Its token ends when that of the last replica does; the time for which that one
        waited to start is in its `wait`.
    """
    if len(chains) == 1:
        return chains[0]
    return started(chains, _starts(chains, topology, chip, apart_cycles))


def started(chains: Sequence[Timeline], starts: Sequence[int]) -> Timeline:
    """Return chains as one, each from its own start on."""
    ends = [
        start + chain.token_cycles for start, chain in zip(starts, chains, strict=True)
    ]
    last = int(np.argmax(ends))
    entries: list[TimelineEntry] = []
    loads: list[LoadEntry] = []
    operators = 0
    for start, chain in zip(starts, chains, strict=True):
        entries += [
            entry._replace(
                start_cycle=entry.start_cycle + start,
                operator=entry.operator + operators,
            )
            for entry in chain.entries
        ]
        loads += [
            load._replace(
                start_cycle=load.start_cycle + start,
                operator=load.operator + operators,
            )
            for load in chain.loads
        ]
        operators += len(chain.entries)
    return Timeline(
        entries=tuple(entries),
        loads=tuple(loads),
        spent=chains[last].spent.plus(CycleBreakdown(wait=starts[last])),
        stage_cycles=sum((chain.stage_cycles for chain in chains), ()),
        stage_hops=sum((chain.stage_hops for chain in chains), ()),
        trains=sum(chain.trains for chain in chains),
    )


def _starts(
    chains: Sequence[Timeline], topology: Topology, chip: ChipSpec, apart_cycles: int
) -> list[int]:
    """Return the cycle at which each replica starts."""
    starts = [0]
    held = _uses(emit(chains[0], topology, chip, leader=0).instructions)
    for chain in chains[1:]:
        own = _uses(emit(chain, topology, chip, leader=0).instructions)
        start = earliest_start(held, own, starts[-1] + apart_cycles)
        starts.append(start)
        own[1:] += start
        held = np.concatenate([held, own], axis=1)
    return starts


def _uses(code: Instructions) -> Ints:
    """Return which port is used from when until when, shape ``(3, uses)``."""
    linked = np.isin(code.slice, (Slice.C2C_IN, Slice.C2C_OUT))
    slices = code.chip[linked].astype(np.int64) * len(Slice) + code.slice[linked]
    start = code.start_cycle[linked]
    return np.array(
        [
            slices * MOST_PORTS + code.port[linked],
            start,
            start + code.duration_cycles[linked],
        ]
    )


def earliest_start(held: Ints, own: Ints, from_cycle: int) -> int:
    """Return the first cycle at which a chain may start and finds its ports free.

    Parameters
    ----------
    held, own
        Port, first cycle and the one after the last of each use of others and of the
        chain from its own start, shape ``(3, uses)``.
    from_cycle
        Least start.
    """
    # A use from b to e must not start within (B - e, E - b) of one from B to E.
    low, high = [], []
    for port in np.intersect1d(held[0], own[0]).tolist():
        _, begins, ends = held[:, held[0] == port]
        _, begin, end = own[:, own[0] == port]
        after = np.subtract.outer(ends, begin)
        in_the_way = after > from_cycle
        low.append(np.subtract.outer(begins, end)[in_the_way])
        high.append(after[in_the_way])
    if not low:
        return from_cycle
    before, after = np.concatenate(low), np.concatenate(high)
    order = np.argsort(before, kind="stable")
    # Until when the stretches so far forbid a start; the next may leave a gap.
    until = np.maximum.accumulate(np.concatenate([[from_cycle], after[order]]))
    free = np.flatnonzero(before[order] >= until[:-1])
    return int(until[free[0]] if len(free) else until[-1])
