"""Compiling one decode token into a static schedule."""

from dataclasses import dataclass
from typing import final

import numpy as np

from chip.program import Program, Resident
from compiler.bound import lower_bound_cycles
from compiler.deskew import best_interval, place_deskews
from compiler.emission import emit
from compiler.guard import Tolerance, link_timing
from compiler.pipelining import sequence_spacing, sequence_starts
from compiler.replicas import replica_outage, side_by_side
from compiler.schedule import Schedule
from compiler.size import check_trains, trains_at_least
from compiler.timeline import Timeline, token_timeline
from compiler.transport import Transporter
from sharding.plan import ShardingPlan
from specs.errors import ScheduleError
from topologies.outage import NO_OUTAGE, Outage
from topologies.routes import Routes
from topologies.topology import Topology
from topologies.tree import SpanningTree, alignment_tree

# A forwarded vector may lie in the gap that was meant for a deskew; sequences or
# replicas a little further apart leave another.
_MOST_ATTEMPTS = 16


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TimedToken:
    """A token whose every cycle is known, before its instructions are written down.

    Parameters
    ----------
    timelines
        The chain of each replica, with its deskews.
    tree
        Spanning tree along which the chips are aligned.
    tolerance
        What the clocks may do.
    interval_cycles, guard_cycles
        Longest time between deskews, and the guard band that goes with it.
    """

    timelines: tuple[Timeline, ...]
    tree: SpanningTree
    tolerance: Tolerance
    interval_cycles: int
    guard_cycles: int

    @property
    def timeline(self) -> Timeline:
        """Return the chain of the replica that takes longest."""
        return max(self.timelines, key=lambda chain: chain.token_cycles)


def time_token(
    plan: ShardingPlan, topology: Topology, outage: Outage = NO_OUTAGE
) -> TimedToken:
    """Return a decode token under `plan` to the cycle, in a third of the time.

    One sequence alone takes just as long once compiled, if it can be.

    Parameters are those of `compile_token`.

    Raises
    ------
    ScheduleError
        If no guard band or deskew interval holds.
    """
    machine = plan.task.machine
    leader = int(plan.stages[0].chips[0])
    tree = alignment_tree(topology, machine, leader, outage)
    tolerance = Tolerance(machine=machine, tree_height=tree.height)
    replicas = plan.replicas
    routes = [
        Routes(topology, replica_outage(plan, number, topology, outage))
        for number in range(len(replicas))
    ]

    check_trains(
        trains_at_least(plan, topology), plan.strategy.tensor, plan.strategy.chips
    )

    def timelines(interval_cycles: int) -> tuple[list[Timeline], int]:
        guard_cycles = tolerance.guard_cycles(interval_cycles)
        timing = link_timing(topology, machine, guard_cycles)
        chains = [
            token_timeline(
                replica,
                topology,
                Transporter(topology, machine, own, timing),
                interval_cycles=interval_cycles,
            )
            for replica, own in zip(replicas, routes, strict=True)
        ]
        return chains, guard_cycles

    wanted = machine.deskew.interval_epochs
    if wanted == "auto":
        # A first chain without deskews tells how long stages are at work.
        slowest = max(timelines(0)[0], key=lambda chain: chain.token_cycles)
        interval_cycles = best_interval(slowest, tolerance)
    else:
        interval_cycles = tolerance.checked_interval(wanted)
    chains, guard_cycles = timelines(interval_cycles)
    return TimedToken(
        timelines=tuple(chains),
        tree=tree,
        tolerance=tolerance,
        interval_cycles=interval_cycles,
        guard_cycles=guard_cycles,
    )


def compile_token(
    plan: ShardingPlan,
    topology: Topology,
    outage: Outage = NO_OUTAGE,
    *,
    timed: TimedToken | None = None,
) -> Schedule:
    """Return the schedule of a decode token under `plan`.

    Parameters
    ----------
    plan
        Who holds what; its chips are chips of `topology`.
    topology
        The wiring.
    outage
        What of it is out of order.
    timed
        What `time_token` says of them, if that is known.

    Raises
    ------
    ScheduleError
        If no guard band, deskew interval or program size holds; the message says
        which setting would.
    """
    timed = timed or time_token(plan, topology, outage)
    chain, program = _program(
        plan,
        topology,
        list(timed.timelines),
        tolerance=timed.tolerance,
        interval_cycles=timed.interval_cycles,
        guard_cycles=timed.guard_cycles,
    )
    return Schedule(
        plan=plan,
        topology=topology,
        tree=timed.tree,
        program=program,
        timeline=chain,
        lower_bound_cycles=lower_bound_cycles(plan),
    )


def _program(
    plan: ShardingPlan,
    topology: Topology,
    chains: list[Timeline],
    *,
    tolerance: Tolerance,
    interval_cycles: int,
    guard_cycles: int,
) -> tuple[Timeline, Program]:
    """Return the chain of all replicas, and the program that carries it out."""
    machine = plan.task.machine
    leader = int(plan.stages[0].chips[0])
    stall_cycles = machine.hac.epoch_cycles
    chain = side_by_side(chains, topology, machine.chip, apart_cycles=0)
    instructions, trains, kinds = emit(chain, topology, machine.chip, leader)
    # The slowest stage sets the pace, and needs a gap to deskew in.
    pace = max(chain.stage_cycles) + stall_cycles
    several = plan.sequences > 1 or len(chains) > 1
    for attempt in range(_MOST_ATTEMPTS if several else 1):
        if attempt and len(chains) > 1:
            # Further and further, up to one replica after the other.
            apart_cycles = stall_cycles << (attempt - 1)
            chain = side_by_side(
                chains, topology, machine.chip, apart_cycles=apart_cycles
            )
            instructions, trains, kinds = emit(chain, topology, machine.chip, leader)
        following, period = sequence_spacing(
            instructions,
            plan.sequences,
            at_least_cycles=pace + attempt * stall_cycles,
            token_cycles=chain.token_cycles,
        )
        deskews = place_deskews(
            instructions,
            interval_cycles=interval_cycles,
            longest_cycles=tolerance.longest_interval_cycles,
            stall_cycles=stall_cycles,
            period_cycles=period,
            starts=sequence_starts(plan.sequences, following),
        )
        if deskews is not None:
            return chain, Program(
                chips=topology.chips,
                instructions=instructions,
                trains=trains,
                kinds=kinds,
                resident=_resident(plan, topology.chips),
                deskews=deskews,
                period_cycles=period,
                token_cycles=chain.token_cycles,
                sequences=plan.sequences,
                interval_cycles=following,
                leader=leader,
                guard_cycles=guard_cycles,
            )
    raise ScheduleError(
        f"some chip has no gap of {stall_cycles} cycles for a RUNTIME_DESKEW within "
        f"{interval_cycles} cycles of each vector; use a longer "
        f"deskew.interval_epochs or 'auto', or steadier crystals (clock.drift_ppm "
        f"below {machine.clock.drift_ppm:g})"
    )


def _resident(plan: ShardingPlan, chips: int) -> Resident:
    """Return what each chip keeps in SRAM from token to token.

    Sequences take their turns in a stage, so that one shard of the residual stream is
    there at a time.
    """
    kept = Resident(*np.zeros((len(Resident._fields), chips), dtype=np.int64))
    for stage in plan.stages:
        kept.weights[stage.chips] = stage.memory.weights
        kept.kv_cache[stage.chips] = stage.memory.kv_cache
        kept.activations[stage.chips] = plan.task.shard_bytes()
        kept.program[stage.chips] = stage.memory.program
    return kept
