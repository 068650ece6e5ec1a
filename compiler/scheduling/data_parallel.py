"""Data parallelism: one program for all replicas, on links that some may share.

Every replica has a timeline of its own on chips of its own, and all replicas begin a
token together. Their vectors pass no chip of another replica if there is a path around
it, so that replicas of whole nodes share no link. Where two would still use the same
link at the same time, the later replica starts a little later.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from chip.program import Instructions, Slice
from compiler.ir.program_emission import emit
from compiler.ir.timeline import LoadEntry, Timeline, TimelineEntry
from compiler.ir.transfers import CycleBreakdown
from compiler.passes.pass_of import AnyPlan
from compiler.scheduling.initiation_interval import MOST_PORTS
from specs.arrays import Ints
from specs.chip import ChipSpec
from topologies.outage import Outage
from topologies.routing.breadth_first import UNREACHABLE, hop_counts
from topologies.topology import Topology


def replica_outage(
    plan: AnyPlan, replica: int, topology: Topology, outage: Outage
) -> Outage:
    """Return the outage to schedule a replica with, which keeps it off other replicas.

    Parameters
    ----------
    plan
        The plan of all replicas.
    replica
        Which of them it is.
    topology
        The topology.
    outage
        Its chips and links that are out of order.

    Returns
    -------
    Outage
        `outage` and the chips of all other replicas; `outage` alone if that would leave
        some chips of this one without a path to each other.
    """
    own = {int(c) for s in plan.replicas[replica].stages for c in s.chips}
    others = {int(c) for stage in plan.stages for c in stage.chips} - own
    around = replace(outage, chips=outage.chips | others)
    chips = sorted(own)
    reached = hop_counts(around.adjacency(topology), chips[:1])[chips, 0]
    return outage if (reached == UNREACHABLE).any() else around


def merge_replicas(
    timelines: Sequence[Timeline],
    topology: Topology,
    chip: ChipSpec,
    *,
    apart_cycles: int,
) -> Timeline:
    """Schedule the timelines of all replicas as one, in which no two share a port.

    Parameters
    ----------
    timelines
        A token of each replica, from its own start.
    topology, chip
        The topology, and the processor.
    apart_cycles
        Least time between the starts of two replicas.

    Returns
    -------
    Timeline
        Its token ends when that of the last replica does; the time for which that one
        waited to start is in its `wait`.
    """
    if len(timelines) == 1:
        return timelines[0]
    return merge_timelines(timelines, _starts(timelines, topology, chip, apart_cycles))


def merge_timelines(timelines: Sequence[Timeline], starts: Sequence[int]) -> Timeline:
    """Schedule several timelines as one, each moved to its own start.

    Parameters
    ----------
    timelines
        At least one, each from cycle 0 on.
    starts
        Cycle at which each starts.

    Returns
    -------
    Timeline
        It ends with the timeline that ends last, whose start is in its `wait`.
    """
    ends = [
        start + timeline.token_cycles
        for start, timeline in zip(starts, timelines, strict=True)
    ]
    last = int(np.argmax(ends))
    entries: list[TimelineEntry] = []
    loads: list[LoadEntry] = []
    operators = 0
    for start, timeline in zip(starts, timelines, strict=True):
        entries += [
            entry._replace(
                start_cycle=entry.start_cycle + start,
                operator=entry.operator + operators,
            )
            for entry in timeline.entries
        ]
        loads += [
            load._replace(
                start_cycle=load.start_cycle + start,
                operator=load.operator + operators,
            )
            for load in timeline.loads
        ]
        operators += len(timeline.entries)
    return Timeline(
        entries=tuple(entries),
        loads=tuple(loads),
        spent=timelines[last].spent.plus(CycleBreakdown(wait=starts[last])),
        stage_cycles=sum((timeline.stage_cycles for timeline in timelines), ()),
        stage_hops=sum((timeline.stage_hops for timeline in timelines), ()),
        trains=sum(timeline.trains for timeline in timelines),
        hidden_cycles=timelines[last].hidden_cycles,
    )


def _starts(
    timelines: Sequence[Timeline], topology: Topology, chip: ChipSpec, apart_cycles: int
) -> list[int]:
    """Return the cycle at which each replica starts."""
    starts = [0]
    taken = _port_uses(emit(timelines[0], topology, chip, leader=0).instructions)
    for timeline in timelines[1:]:
        own = _port_uses(emit(timeline, topology, chip, leader=0).instructions)
        start = earliest_start(taken, own, starts[-1] + apart_cycles)
        starts.append(start)
        own[1:] += start
        taken = np.concatenate([taken, own], axis=1)
    return starts


def _port_uses(code: Instructions) -> Ints:
    """Return port, first cycle and end of each use of a link, shape ``(3, uses)``."""
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


def earliest_start(taken: Ints, own: Ints, from_cycle: int) -> int:
    """Return the first start at which a timeline can be scheduled: its ports are free.

    Parameters
    ----------
    taken, own
        Port, first cycle and the one after the last of each use by others, and by the
        timeline from its own start; shape ``(3, uses)``.
    from_cycle
        Least start.
    """
    # A use from b to e must not start within (B - e, E - b) of one from B to E.
    low, high = [], []
    for port in np.intersect1d(taken[0], own[0]).tolist():
        _, begins, ends = taken[:, taken[0] == port]
        _, begin, end = own[:, own[0] == port]
        after = np.subtract.outer(ends, begin)
        later = after > from_cycle
        low.append(np.subtract.outer(begins, end)[later])
        high.append(after[later])
    if not low:
        return from_cycle
    before, after = np.concatenate(low), np.concatenate(high)
    order = np.argsort(before, kind="stable")
    # Up to which cycle the intervals so far forbid a start; the next may leave a gap.
    until = np.maximum.accumulate(np.concatenate([[from_cycle], after[order]]))
    free = np.flatnonzero(before[order] >= until[:-1])
    return int(until[free[0]] if len(free) else until[-1])
