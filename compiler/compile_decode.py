"""Compiling one decode token into a static schedule."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import final

from chip.program import Program
from compiler.cost.guard_band import Tolerance
from compiler.cost.link_timing import link_timing
from compiler.cost.roofline import lower_bound_cycles
from compiler.ir.schedule import Schedule
from compiler.ir.timeline import Timeline
from compiler.routing.message_scheduler import MessageScheduler
from compiler.routing.modulo_reservation_table import ModuloReservationTable
from compiler.scheduling.data_parallel import replica_outage
from compiler.scheduling.deskew_insertion import best_interval
from compiler.scheduling.program_assembly import assembled, no_gap
from compiler.scheduling.software_pipelining import Lay
from compiler.scheduling.token_scheduler import token_timeline
from compiler.scheduling.train_count import check_trains, trains_at_least
from sharding.planner.plan import ShardingPlan
from specs.errors import ScheduleError
from topologies.outage import NO_OUTAGE, Outage
from topologies.routing.spanning_tree import alignment_tree
from topologies.routing.static_routes import Routes
from topologies.topology import Topology

# Where vectors of others pass, a chip has few gaps to deskew in. If it deskews less
# often, each receive has a wider guard and fewer gaps will do.
_LONGER = (1, 2, 4, 8)


@final
class PlanScheduler:
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
        self._transporters: dict[tuple[int, int], MessageScheduler] = {}

    def timelines(
        self,
        plans: Sequence[ShardingPlan],
        interval_cycles: int,
        *,
        replica: int = 0,
        traffic: ModuloReservationTable | None = None,
    ) -> list[Timeline]:
        """Return the chain of each plan's pass in a replica, with one guard band."""
        key = interval_cycles, replica
        if key not in self._transporters:
            guard_cycles = self._tolerance.guard_cycles(interval_cycles)
            timing = link_timing(self._topology, self._machine, guard_cycles)
            routes = self._routes[replica]
            self._transporters[key] = MessageScheduler(
                self._topology, self._machine, routes, timing
            )
        return [
            token_timeline(
                plan,
                self._topology,
                self._transporters[key],
                interval_cycles=interval_cycles,
                traffic=traffic,
            )
            for plan in plans
        ]

    def replicas(
        self,
        plan: ShardingPlan,
        interval_cycles: int,
        traffic: ModuloReservationTable | None = None,
    ) -> list[Timeline]:
        """Return the chain of each replica, all of them in one traffic."""
        return [
            self.timelines([one], interval_cycles, replica=number, traffic=traffic)[0]
            for number, one in enumerate(plan.replicas)
        ]

    def longer_intervals(self, interval_cycles: int) -> list[int]:
        """Return an interval, and longer ones that chips may deskew at instead."""
        if self._machine.deskew.interval_epochs != "auto":
            return [interval_cycles]
        longest = self._tolerance.longest_interval_cycles
        return [
            interval_cycles * longer
            for longer in _LONGER
            if longer == 1 or interval_cycles * longer <= longest
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
        self,
        plan: ShardingPlan,
        chains: Sequence[Timeline],
        interval_cycles: int,
        *,
        lay: Lay | None = None,
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
        lay
            What lays the chains anew among each other's traffic, if anything can.

        Raises
        ------
        ScheduleError
            If some chip has no time for a RUNTIME_DESKEW.
        """
        return assembled(
            plan,
            self._topology,
            chains,
            lay=lay,
            tolerance=self._tolerance,
            interval_cycles=interval_cycles,
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

    chains: PlanScheduler
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
    chains = PlanScheduler(plan, topology, outage)

    def slowest() -> list[Timeline]:
        return [max(chains.replicas(plan, 0), key=lambda chain: chain.token_cycles)]

    interval_cycles = chains.interval_cycles(slowest)
    return TimedToken(
        chains=chains,
        timelines=tuple(chains.replicas(plan, interval_cycles)),
        interval_cycles=interval_cycles,
    )


def compile_token(
    plan: ShardingPlan,
    topology: Topology,
    outage: Outage = NO_OUTAGE,
    *,
    timed: TimedToken | None = None,
    patient: bool = True,
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
    patient
        Whether to try, where nothing else leaves chips time to deskew, how far apart
        whole tokens must be; that takes minutes where hundreds of chips share links.

    Raises
    ------
    ScheduleError
        If no guard band, deskew interval or program size holds; the message says
        which setting would.
    """
    timed = timed or time_token(plan, topology, outage)
    chains = timed.chains
    chain, program = _carried_out(plan, timed, patient=patient)
    return Schedule(
        plan=plan,
        topology=topology,
        tree=chains.tree,
        program=program,
        timeline=chain,
        lower_bound_cycles=lower_bound_cycles(plan),
    )


def _carried_out(
    plan: ShardingPlan, timed: TimedToken, *, patient: bool
) -> tuple[Timeline, Program]:
    """Return the chain of all replicas and its program, however they are found."""
    chains = timed.chains
    if plan.sequences == plan.strategy.data == 1:
        return chains.program(plan, timed.timelines, timed.interval_cycles)
    for interval_cycles in chains.longer_intervals(timed.interval_cycles):

        def lay(
            traffic: ModuloReservationTable | None, often: int = interval_cycles
        ) -> list[Timeline]:
            return chains.replicas(plan, often, traffic)

        with suppress(ScheduleError):
            return chains.program(plan, lay(None), interval_cycles, lay=lay)
    if not patient:
        raise no_gap(plan.task.machine, timed.interval_cycles)
    return chains.program(plan, timed.timelines, timed.interval_cycles)
