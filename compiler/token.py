"""Compiling one decode token into a static schedule."""

from collections.abc import Callable, Sequence
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
from topologies.tree import alignment_tree

# A forwarded vector may lie in the gap that was meant for a deskew; sequences or
# replicas a little further apart leave another.
_MOST_ATTEMPTS = 16


@final
class Chains:
    """Lays passes of a model on the links of one machine, and makes programs of them.

    Parameters
    ----------
    plan, topology, outage
        As in `compile_token`; of the plan the machine and the chips matter.
    """

    def __init__(
        self, plan: ShardingPlan, topology: Topology, outage: Outage = NO_OUTAGE
    ) -> None:
        machine = plan.task.machine
        leader = int(plan.stages[0].chips[0])
        self._machine = machine
        self._topology = topology
        self._routes = [
            Routes(topology, replica_outage(plan, number, topology, outage))
            for number in range(len(plan.replicas))
        ]
        self.tree = alignment_tree(topology, machine, leader, outage)
        self._tolerance = Tolerance(machine=machine, tree_height=self.tree.height)

    def timelines(
        self, plans: Sequence[ShardingPlan], interval_cycles: int, *, replica: int = 0
    ) -> list[Timeline]:
        """Return the chain of each plan's pass in a replica, with one guard band."""
        guard_cycles = self._tolerance.guard_cycles(interval_cycles)
        timing = link_timing(self._topology, self._machine, guard_cycles)
        routes = self._routes[replica]
        transporter = Transporter(self._topology, self._machine, routes, timing)
        return [
            token_timeline(
                plan, self._topology, transporter, interval_cycles=interval_cycles
            )
            for plan in plans
        ]

    def interval_cycles(self, at_work: Callable[[], Sequence[Timeline]]) -> int:
        """Return how often chips deskew.

        Parameters
        ----------
        at_work
            Returns chains without deskews, which tell how long stages are at work; not
            asked where the machine's settings give the interval.
        """
        wanted = self._machine.deskew.interval_epochs
        if wanted != "auto":
            return self._tolerance.checked_interval(wanted)
        return max(best_interval(chain, self._tolerance) for chain in at_work())

    def program(
        self, plan: ShardingPlan, chains: Sequence[Timeline], interval_cycles: int
    ) -> tuple[Timeline, Program]:
        """Return the chain of all replicas, and the program that carries it out.

        Parameters
        ----------
        plan
            Whose chips hold what.
        chains
            What each replica does.
        interval_cycles
            How often chips deskew.

        Raises
        ------
        ScheduleError
            If some chip has no time for a RUNTIME_DESKEW.
        """
        return _program(
            plan,
            self._topology,
            chains,
            tolerance=self._tolerance,
            interval_cycles=interval_cycles,
            guard_cycles=self._tolerance.guard_cycles(interval_cycles),
        )


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TimedToken:
    """A token whose every cycle is known, before its instructions are written down.

    Parameters
    ----------
    chains
        What lays passes on the links, and has aligned the chips.
    timelines
        The chain of each replica, with its deskews.
    interval_cycles
        Longest time between deskews.
    """

    chains: Chains
    timelines: tuple[Timeline, ...]
    interval_cycles: int

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
    check_trains(
        trains_at_least(plan, topology), plan.strategy.tensor, plan.strategy.chips
    )
    chains = Chains(plan, topology, outage)

    def timelines(interval_cycles: int) -> tuple[Timeline, ...]:
        return tuple(
            chains.timelines([replica], interval_cycles, replica=number)[0]
            for number, replica in enumerate(plan.replicas)
        )

    def slowest() -> list[Timeline]:
        return [max(timelines(0), key=lambda chain: chain.token_cycles)]

    interval_cycles = chains.interval_cycles(slowest)
    return TimedToken(
        chains=chains,
        timelines=timelines(interval_cycles),
        interval_cycles=interval_cycles,
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
    chains = timed.chains
    chain, program = chains.program(plan, timed.timelines, timed.interval_cycles)
    return Schedule(
        plan=plan,
        topology=topology,
        tree=chains.tree,
        program=program,
        timeline=chain,
        lower_bound_cycles=lower_bound_cycles(plan),
    )


def _program(
    plan: ShardingPlan,
    topology: Topology,
    chains: Sequence[Timeline],
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
