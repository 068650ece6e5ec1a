"""Plan scheduler: timelines and programs of plans on the links of one machine."""

from collections.abc import Callable, Sequence
from typing import final

from chip.dataflow import Pass
from chip.program import Program
from compiler.cost.guard_band import Tolerance
from compiler.cost.link_timing import LinkTiming, link_timing
from compiler.ir.identity_map import IdentityMap
from compiler.ir.timeline import Timeline
from compiler.passes.pass_of import AnyPlan, pass_of
from compiler.passes.planned_pass import PlannedPass
from compiler.routing.message_scheduler import MessageScheduler
from compiler.routing.modulo_reservation_table import ModuloReservationTable
from compiler.scheduling.data_parallel import replica_outage
from compiler.scheduling.deskew_interval import best_deskew_interval
from compiler.scheduling.layer_cache import BlockCache, BlockOperators
from compiler.scheduling.pass_scheduler import pass_timeline
from compiler.scheduling.program_assembly import assemble_program
from compiler.scheduling.software_pipelining import Reschedule
from sharding.workloads.workload_plan import WorkloadPlan
from topologies.outage import NO_OUTAGE, Outage
from topologies.routing.spanning_tree import alignment_tree
from topologies.routing.static_routes import Routes
from topologies.topology import Topology

# Where a chip relays vectors of others it has few gaps to deskew in. If it deskews less
# often, each receive has a wider guard and fewer gaps will do.
_LONGER_INTERVALS = (1, 2, 4, 8)


@final
class PlanScheduler:
    """Plan scheduler: schedules passes of a model on the links of one machine.

    Parameters
    ----------
    plan, topology, outage
        As in `compile_token`; of the plan the machine and the chips matter.
    overlaps
        Whether products may run beside exchanges. Chunks of a prompt run beside each
        other instead.

    Attributes
    ----------
    tree
        Spanning tree along which the chips are aligned, rooted at the leader.
    """

    def __init__(
        self,
        plan: AnyPlan,
        topology: Topology,
        outage: Outage = NO_OUTAGE,
        *,
        overlaps: bool = True,
    ) -> None:
        self._overlaps = overlaps
        machine = plan.machine
        leader = int(plan.stages[0].chips[0])
        self._machine = machine
        self._topology = topology
        self._routes = [
            Routes(topology, replica_outage(plan, number, topology, outage))
            for number in range(len(plan.replicas))
        ]
        self.tree = alignment_tree(topology, machine, leader, outage)
        self._tolerance = Tolerance(machine=machine, tree_height=self.tree.height)
        self._message_schedulers: dict[tuple[int, int], MessageScheduler] = {}
        self._operators: IdentityMap[object, BlockOperators] = IdentityMap()
        self._passes: IdentityMap[AnyPlan, tuple[PlannedPass, BlockCache]] = (
            IdentityMap()
        )

    def timelines(
        self,
        plans: Sequence[AnyPlan],
        interval_cycles: int,
        *,
        replica: int = 0,
        reservations: ModuloReservationTable | None = None,
        pauses: bool = False,
    ) -> list[Timeline]:
        """Return the timeline of each plan's pass in a replica, with one guard band.

        Parameters
        ----------
        plans
            Plans of a single replica on the same chips.
        interval_cycles
            How often chips deskew, 0 for no deskews.
        replica
            Whose chips are used.
        reservations
            Links that others use, None if there are no others.
        pauses
            Whether chips at work pause for deskews as often as drift demands, whatever
            gaps they have.
        """
        key = interval_cycles, replica
        if key not in self._message_schedulers:
            timing = self.timing(interval_cycles)
            routes = self._routes[replica]
            self._message_schedulers[key] = MessageScheduler(
                self._topology, self._machine, routes, timing
            )
        timelines = []
        longest_work = self._tolerance.longest_interval_cycles if pauses else 0
        for number, plan in enumerate(plans):
            planned, blocks = self._passes.of(plan, self._planned)
            cuts = self._longest_phase_cycles() if planned.cuts_phases else 0
            timelines.append(
                pass_timeline(
                    planned,
                    self._topology,
                    self._message_schedulers[key],
                    interval_cycles=interval_cycles,
                    longest_phase_cycles=cuts,
                    longest_work_cycles=longest_work,
                    reservations=reservations,
                    number=number,
                    blocks=blocks,
                )
            )
        return timelines

    def timing(self, interval_cycles: int) -> LinkTiming:
        """Return the timing of the links under the guard band of a deskew interval."""
        guard_cycles = self._tolerance.guard_cycles(interval_cycles)
        return link_timing(self._topology, self._machine, guard_cycles)

    def _planned(self, plan: AnyPlan) -> tuple[PlannedPass, BlockCache]:
        """Return the pass of a plan, with what all its schedules share."""
        planned = pass_of(plan)
        if not self._overlaps:
            planned = planned.without_overlap()
        # Replicas do the same on other chips, and chunks of a prompt do much alike.
        of = plan if isinstance(plan, WorkloadPlan) else plan.task.model
        known = self._operators.of(of, lambda _: {})
        return planned, BlockCache(planned, self._topology, known)

    def _longest_phase_cycles(self) -> int:
        """Return the longest phase of an exchange between two deskews, 0 for no limit.

        Where the compiler chooses the interval, two phases fit into the longest one.
        """
        epoch = self._machine.hac.epoch_cycles
        wanted = self._machine.deskew.interval_epochs
        if self._tolerance.relative_ppm == 0 or wanted == 0:
            return 0
        if wanted == "auto":
            return self._tolerance.longest_interval_cycles // 2 - 2 * epoch
        return self._tolerance.checked_interval(wanted) - epoch

    def replicas(
        self,
        plan: AnyPlan,
        interval_cycles: int,
        reservations: ModuloReservationTable | None = None,
        *,
        pauses: bool = False,
    ) -> list[Timeline]:
        """Return the timeline of each replica, all with one reservation table."""
        replicas: Sequence[AnyPlan] = plan.replicas
        return [
            self.timelines(
                [one],
                interval_cycles,
                replica=number,
                reservations=reservations,
                pauses=pauses,
            )[0]
            for number, one in enumerate(replicas)
        ]

    def works_too_long(self, timelines: Sequence[Timeline]) -> bool:
        """Return whether a stage is at work for longer than drift allows unseen.

        If it has no gap that holds a deskew, only timelines with pauses have a program.
        """
        if self._tolerance.relative_ppm == 0:
            return False
        longest = max(max(timeline.stage_cycles) for timeline in timelines)
        stall_cycles = self._machine.hac.epoch_cycles
        return longest + stall_cycles > self._tolerance.longest_interval_cycles

    def longer_intervals(self, interval_cycles: int) -> list[int]:
        """Return a deskew interval, and longer ones that may be used instead of it."""
        if self._machine.deskew.interval_epochs != "auto":
            return [interval_cycles]
        longest = self._tolerance.longest_interval_cycles
        return [
            interval_cycles * factor
            for factor in _LONGER_INTERVALS
            if factor == 1 or interval_cycles * factor <= longest
        ]

    def interval_cycles(self, undeskewed: Callable[[], Sequence[Timeline]]) -> int:
        """Return the deskew interval, in cycles.

        Parameters
        ----------
        undeskewed
            Returns timelines without deskews, which tell how long stages are at work;
            not called where the machine's settings give the interval.
        """
        wanted = self._machine.deskew.interval_epochs
        if wanted != "auto":
            return self._tolerance.checked_interval(wanted)
        return max(best_deskew_interval(each, self._tolerance) for each in undeskewed())

    def program(
        self,
        plan: AnyPlan,
        timelines: Sequence[Timeline],
        interval_cycles: int,
        *,
        reschedule: Reschedule | None = None,
        passes: Sequence[AnyPlan] = (),
        stated: bool = True,
        together: int = 1,
    ) -> tuple[Timeline, Program]:
        """Return the timeline of all replicas, and the program that carries it out.

        Parameters
        ----------
        plan
            Whose chips hold what.
        timelines
            The token of each replica.
        interval_cycles
            How often chips deskew.
        reschedule
            What schedules the tokens again on links that others use; None if they stay
            as they are.
        passes
            Plan of each pass, where a token has several.
        stated
            Whether the program states its dataflow.
        together
            Most passes that a stage holds at a time.

        Raises
        ------
        ScheduleError
            If some chip has no time for a RUNTIME_DESKEW.
        """
        return assemble_program(
            plan,
            self._topology,
            timelines,
            reschedule=reschedule,
            tolerance=self._tolerance,
            interval_cycles=interval_cycles,
            passes=[numbered_pass(each) for each in passes or [plan]],
            pass_plans=passes,
            stated=stated,
            together=together,
        )


def numbered_pass(plan: AnyPlan) -> Pass:
    """Return the positions that a scheduled pass computes; a graph has none."""
    if isinstance(plan, WorkloadPlan):
        return Pass(context_tokens=1, query_tokens=1, answer_tokens=1, batch=1)
    task = plan.task
    return Pass(
        context_tokens=task.context,
        query_tokens=task.sequence_tokens,
        answer_tokens=task.answering().sequence_tokens,
        batch=task.batch,
    )
