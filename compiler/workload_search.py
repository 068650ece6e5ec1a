"""The fastest split of a workload over a given number of chips."""

from compiler.workload import WorkloadSchedule, compile_workload, workload_bound
from sharding.grid import grids
from sharding.slices import Ints
from sharding.workload_plan import WorkloadPlan, plan_workload
from sharding.workload_steps import workload_steps
from specs.errors import PlanError
from specs.machine import MachineSpec
from specs.workload import Workload
from topologies.topology import Topology


def best_schedule(
    workload: Workload, machine: MachineSpec, topology: Topology, chips: Ints
) -> WorkloadSchedule:
    """Return the schedule of the split that takes the fewest cycles.

    Every split over all of `chips` that fits is compiled, in the order of its lower
    bound, until no bound is below the best schedule found: it is the best there is, by
    columns rather than rows if two are equal.

    Raises
    ------
    PlanError
        If none fits; the message is that of the split by columns.
    """
    plans: list[tuple[int, int, WorkloadPlan]] = []
    refusals: list[PlanError] = []
    for grid in grids(len(chips)):
        try:
            plan = plan_workload(workload, machine, grid, chips)
        except PlanError as refusal:
            refusals.append(refusal)
            continue
        bound = workload_bound(plan, workload_steps(plan))
        plans.append((bound, grid.row, plan))
    if not plans:
        raise refusals[0]
    best: WorkloadSchedule | None = None
    for bound, _, plan in sorted(plans, key=lambda each: each[:2]):
        if best is not None and bound >= best.latency_cycles:
            break
        schedule = compile_workload(plan, topology)
        if best is None or schedule.latency_cycles < best.latency_cycles:
            best = schedule
    assert best is not None
    return best
