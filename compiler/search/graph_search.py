"""The fastest split of a workload over a given number of chips."""

import numpy as np

from compiler.compile_graph import compile_workload
from compiler.cost.roofline import hop_cycles
from compiler.ir.schedule import WorkloadSchedule
from sharding.graph.workload_operators import workload_steps
from sharding.graph.workload_plan import WorkloadPlan, plan_workload
from sharding.operators.operators import Compute, Exchange, Pattern
from sharding.parallelism.grid import grids
from sharding.parallelism.ranges import Ints
from specs.errors import PlanError, ScheduleError
from specs.machine import MachineSpec
from specs.units import ceil_div
from specs.workload import Workload
from topologies.topology import Topology


def best_schedule(
    workload: Workload, machine: MachineSpec, topology: Topology, chips: Ints
) -> WorkloadSchedule:
    """Return the schedule of the split that takes the fewest cycles.

    Every split over all of `chips` that fits is compiled, in the order of the cycles
    that its chain takes at least, until that is not below the best schedule found: no
    other split has a faster one. Of two that are equal, it is that with more columns.

    Raises
    ------
    PlanError
        If none fits; the message is that of the split by columns.
    ScheduleError
        If none of those that fit can be scheduled; the message is that of the first.
    """
    plans: list[tuple[int, int, WorkloadPlan]] = []
    refusals: list[PlanError] = []
    for grid in grids(len(chips)):
        try:
            plan = plan_workload(workload, machine, grid, chips)
        except PlanError as refusal:
            refusals.append(refusal)
            continue
        plans.append((chain_bound(plan), grid.row, plan))
    if not plans:
        raise refusals[0]
    best: WorkloadSchedule | None = None
    unscheduled: list[ScheduleError] = []
    for bound, _, plan in sorted(plans, key=lambda each: each[:2]):
        if best is not None and bound >= best.latency_cycles:
            break
        try:
            schedule = compile_workload(plan, topology)
        except ScheduleError as refusal:
            unscheduled.append(refusal)
            continue
        if best is None or schedule.latency_cycles < best.latency_cycles:
            best = schedule
    if best is None:
        raise unscheduled[0]
    return best


def chain_bound(plan: WorkloadPlan) -> int:
    """Return the least cycles of a plan's operators one after the other.

    All weights that may be are loaded ahead of their products.

    What a chip has of an exchange's other parts has come in on its ports, and what it
    had of them has left on them.
    """
    bound = 0
    for number, step in enumerate(workload_steps(plan)):
        if isinstance(step, Compute):
            # Nothing is loaded ahead of what an iteration begins with.
            bound += int((step.least_cycles if number else step.cycles).max())
        else:
            bound += _exchange_bound(plan.machine, step)
    return bound


def _exchange_bound(machine: MachineSpec, exchange: Exchange) -> int:
    together = np.bincount(exchange.teams, weights=exchange.shard_bytes)
    others = together[exchange.teams].astype(np.int64) - exchange.shard_bytes
    # Only the first chip of all has to get everything that is sent to it.
    most = others[0] if exchange.pattern is Pattern.TO_LEADER else others.max()
    per_link = machine.link.vector_bytes * machine.chip.ports
    return hop_cycles(machine, max(1, ceil_div(int(most), per_link)))
