"""Compilation of one decode token into a static schedule."""

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import final

from chip.program import Program
from compiler.cost.roofline import lower_bound_cycles
from compiler.ir.schedule import Schedule
from compiler.ir.timeline import Timeline
from compiler.passes.train_count import check_trains, least_trains
from compiler.routing.modulo_reservation_table import ModuloReservationTable
from compiler.scheduling.plan_scheduler import PlanScheduler
from compiler.scheduling.program_assembly import no_deskew_gap
from sharding.planner.plan import ShardingPlan
from specs.errors import ScheduleError
from topologies.outage import NO_OUTAGE, Outage
from topologies.topology import Topology


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TimedToken:
    """Timed token: its timelines are known to the cycle, its instructions are not.

    Parameters
    ----------
    scheduler
        What schedules passes on the links, with the tree that aligns the chips.
    timelines
        The timeline of each replica, with its deskews.
    interval_cycles
        Longest time between deskews.
    pauses
        Whether chips pause to deskew, whatever gaps they have.
    """

    scheduler: PlanScheduler
    timelines: tuple[Timeline, ...]
    interval_cycles: int
    pauses: bool = False

    @property
    def timeline(self) -> Timeline:
        """Return the timeline of the replica that takes longest."""
        return max(self.timelines, key=lambda timeline: timeline.token_cycles)


def time_token(
    plan: ShardingPlan, topology: Topology, outage: Outage = NO_OUTAGE
) -> TimedToken:
    """Compile a decode token under `plan` as far as its timelines, without a program.

    It takes a third of the time of `compile_token`. One sequence alone has the same
    latency once compiled, if it can be compiled and needs no more deskews.

    Parameters are those of `compile_token`.

    Raises
    ------
    ScheduleError
        If no guard band or deskew interval holds.
    """
    check_trains(
        least_trains(plan, topology), plan.strategy.tensor, plan.strategy.chips
    )
    scheduler = PlanScheduler(plan, topology, outage)

    undeskewed: list[Timeline] = []

    def slowest() -> list[Timeline]:
        undeskewed.extend(scheduler.replicas(plan, 0))
        return [max(undeskewed, key=lambda timeline: timeline.token_cycles)]

    interval_cycles = scheduler.interval_cycles(slowest)
    if interval_cycles or not undeskewed:
        timelines = scheduler.replicas(plan, interval_cycles)
    else:
        timelines = undeskewed
    return TimedToken(
        scheduler=scheduler,
        timelines=tuple(timelines),
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
    """Compile a decode token under `plan` into a static schedule.

    Parameters
    ----------
    plan
        Who holds what; its chips are chips of `topology`.
    topology
        The topology.
    outage
        Its chips and links that are out of order.
    timed
        What `time_token` returns for them, if that is known.
    patient
        Whether to search, where nothing else leaves chips time to deskew, how far apart
        whole tokens must be; that takes minutes where hundreds of chips share links.

    Raises
    ------
    ScheduleError
        If no guard band, deskew interval or program size holds; the message says
        which setting would.
    """
    timed = timed or time_token(plan, topology, outage)
    timeline, program = _timeline_and_program(plan, timed, patient=patient)
    return Schedule(
        plan=plan,
        topology=topology,
        tree=timed.scheduler.tree,
        program=program,
        timeline=timeline,
        lower_bound_cycles=lower_bound_cycles(plan),
    )


def _timeline_and_program(
    plan: ShardingPlan, timed: TimedToken, *, patient: bool
) -> tuple[Timeline, Program]:
    """Return the timeline of all replicas and its program.

    If chips work for so long that they have no gap to deskew in, they pause for it.
    """
    try:
        return _attempted(plan, timed, patient=patient)
    except ScheduleError:
        if not timed.scheduler.works_too_long(timed.timelines):
            raise
    interval_cycles = timed.interval_cycles
    timelines = timed.scheduler.replicas(plan, interval_cycles, pauses=True)
    paused = replace(timed, timelines=tuple(timelines), pauses=True)
    return _attempted(plan, paused, patient=patient)


def _attempted(
    plan: ShardingPlan, timed: TimedToken, *, patient: bool
) -> tuple[Timeline, Program]:
    """Return the timeline of all replicas and its program.

    Sequences and replicas are scheduled among each other, with longer deskew intervals
    if need be; as a last resort whole tokens are spaced apart.
    """
    scheduler = timed.scheduler
    if plan.sequences == plan.strategy.data == 1:
        return scheduler.program(plan, timed.timelines, timed.interval_cycles)
    for interval_cycles in scheduler.longer_intervals(timed.interval_cycles):

        def schedule(
            reservations: ModuloReservationTable | None,
            deskew_cycles: int = interval_cycles,
        ) -> list[Timeline]:
            return scheduler.replicas(
                plan, deskew_cycles, reservations, pauses=timed.pauses
            )

        with suppress(ScheduleError):
            return scheduler.program(
                plan, schedule(None), interval_cycles, reschedule=schedule
            )
    if not patient:
        raise no_deskew_gap(plan.task.machine, timed.interval_cycles)
    return scheduler.program(plan, timed.timelines, timed.interval_cycles)
