"""Graph search: the fastest split of a workload graph over a number of chips."""

from collections.abc import Sequence
from contextlib import suppress

from compiler.compile_graph import compile_workload, with_dataflow
from compiler.cost.graph_roofline import critical_path_bound
from compiler.ir.schedule import WorkloadSchedule
from sharding.parallelism.grid import Grid, grids
from sharding.workloads.workload_plan import WorkloadPlan
from sharding.workloads.workload_planner import plan_workload
from specs.arrays import Ints
from specs.errors import PlanError, ScheduleError
from specs.machine import MachineSpec
from topologies.topology import Topology
from workloads.graphs.workload import Workload


def best_schedule(
    workload: Workload, machine: MachineSpec, topology: Topology, chips: Ints
) -> WorkloadSchedule:
    """Search the splits of a workload for the schedule that takes the fewest cycles.

    All of `chips` share every operator; if the workload does not fit so, they form as
    few stages of equal grids as it needs.

    Parameters
    ----------
    workload, machine
        What is split, and the chips' properties.
    topology, chips
        The topology, and the chips that share the workload.

    Raises
    ------
    PlanError
        If none fits; the message is that of the split by columns.
    ScheduleError
        If none of those that fit can be scheduled; the message is that of the first.
    """
    count = len(chips)
    pipelines = [n for n in range(2, len(workload.operators) + 1) if count % n == 0]
    try:
        return best_of(grids(count), workload, machine, topology, chips)
    except PlanError as refusal:
        for pipeline in pipelines:
            staged = grids(count // pipeline, pipeline)
            with suppress(PlanError):
                return best_of(staged, workload, machine, topology, chips)
        raise refusal from None


def best_of(
    splits: Sequence[Grid],
    workload: Workload,
    machine: MachineSpec,
    topology: Topology,
    chips: Ints,
) -> WorkloadSchedule:
    """Search some splits of a workload for the schedule that takes the fewest cycles.

    Every split that fits is compiled, in the order of its critical-path bound, until
    that is no longer below the best schedule so far: no other split has a faster one.
    Of two that are equal, the one with more columns wins.

    Parameters
    ----------
    splits
        The splits. The other parameters and the errors are those of `best_schedule`.
    """
    plans: list[tuple[int, int, WorkloadPlan]] = []
    refusals: list[PlanError] = []
    for grid in splits:
        try:
            plan = plan_workload(workload, machine, grid, chips)
        except PlanError as refusal:
            refusals.append(refusal)
            continue
        plans.append((critical_path_bound(plan), grid.row, plan))
    if not plans:
        raise refusals[0]
    best: WorkloadSchedule | None = None
    unscheduled: list[ScheduleError] = []
    for bound, _, plan in sorted(plans, key=lambda each: each[:2]):
        if best is not None and bound >= best.latency_cycles:
            break
        try:
            schedule = compile_workload(plan, topology, stated=False)
        except ScheduleError as refusal:
            unscheduled.append(refusal)
            continue
        if best is None or schedule.latency_cycles < best.latency_cycles:
            best = schedule
    if best is None:
        raise unscheduled[0]
    return with_dataflow(best)
