"""Compilation of one iteration of a workload graph into a static schedule."""

from dataclasses import replace

from chip.program import Program
from compiler.cost.graph_roofline import workload_bound
from compiler.ir.dataflow_emission import emit_dataflow
from compiler.ir.schedule import WorkloadSchedule
from compiler.ir.timeline import Timeline
from compiler.scheduling.plan_scheduler import PlanScheduler, numbered_pass
from sharding.workloads.workload_plan import WorkloadPlan
from specs.errors import ScheduleError
from topologies.outage import NO_OUTAGE, Outage
from topologies.topology import Topology


def compile_workload(
    plan: WorkloadPlan,
    topology: Topology,
    outage: Outage = NO_OUTAGE,
    *,
    stated: bool = True,
) -> WorkloadSchedule:
    """Compile one iteration of a workload graph under `plan` into a static schedule.

    Parameters
    ----------
    plan
        Who holds what; its chips are chips of `topology`.
    topology
        The topology.
    outage
        Its chips and links that are out of order.
    stated
        Whether the program states its dataflow; a search asks for that of the best
        schedule alone, by `with_dataflow`.

    Raises
    ------
    ScheduleError
        If no guard band, deskew interval or program size holds; the message says
        which setting would.
    """
    scheduler = PlanScheduler(plan, topology, outage)
    interval_cycles = scheduler.interval_cycles(lambda: scheduler.timelines([plan], 0))

    def scheduled(*, pauses: bool) -> tuple[Timeline, Program]:
        timelines = scheduler.timelines([plan], interval_cycles, pauses=pauses)
        try:
            return scheduler.program(plan, timelines, interval_cycles, stated=stated)
        except ScheduleError:
            if pauses or not scheduler.works_too_long(timelines):
                raise
        return scheduled(pauses=True)

    try:
        timeline, program = scheduled(pauses=False)
    except ScheduleError as error:
        raise ScheduleError(f"{plan.workload.name}: {error}") from None
    return WorkloadSchedule(
        plan=plan,
        topology=topology,
        tree=scheduler.tree,
        program=program,
        timeline=timeline,
        lower_bound_cycles=workload_bound(plan),
    )


def with_dataflow(schedule: WorkloadSchedule) -> WorkloadSchedule:
    """Return a compiled schedule whose program states its dataflow."""
    flow = emit_dataflow(schedule.timeline, [numbered_pass(schedule.plan)])
    return replace(schedule, program=replace(schedule.program, dataflow=flow))
