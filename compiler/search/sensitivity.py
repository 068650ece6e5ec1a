"""Sensitivity of a schedule: what small changes to its plan would win or cost."""

from dataclasses import dataclass
from typing import final

from compiler.bounds.congestion_bound import CongestionBound, congestion_bound
from compiler.bounds.critical_path_bound import least_latency_cycles
from compiler.compile_decode import compile_token
from compiler.ir.schedule import Schedule
from compiler.search.neighbourhood import neighbourhood
from compiler.search.objective import Cost, CostModel, Objective, cost_model
from sharding.planner.plan import ShardingPlan
from specs.errors import RackError
from specs.machine import MachineSpec
from specs.progress import report_progress

# Compiling takes a second each for 576 chips.
MOST_COMPILED = 5


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """Sensitivity to one change of a plan.

    Parameters
    ----------
    name
        The change.
    latency_cycles
        Change of the cycles from a token to the next of the same sequence.
    share_cycles
        Change of the machine cycles for each token.
    chips
        Change of the chips that are used.
    cost
        Cost of the changed plan.
    compiled
        Whether that plan was compiled; else the changes are those of its lower bound.
    """

    name: str
    latency_cycles: int
    share_cycles: float
    chips: int
    cost: Cost
    compiled: bool


def sensitivities(
    schedule: Schedule,
    objective: Objective,
    *,
    most: int,
    most_compiled: int = MOST_COMPILED,
) -> list[Sensitivity]:
    """Search the neighbours of a plan for the changes with the least cost, best first.

    Parameters
    ----------
    schedule
        Schedule of the plan that is changed.
    objective
        What the changed plans are ranked by.
    most
        Changes to return.
    most_compiled
        How many of the changed plans are compiled; the others are estimated by the
        difference of their lower bound and that of `schedule`.
    """
    bounds: dict[tuple[MachineSpec, int], CongestionBound] = {}

    def least_cycles(plan: ShardingPlan) -> int:
        machine, leader = plan.task.machine, int(plan.stages[0].chips[0])
        if (machine, leader) not in bounds:
            bounds[machine, leader] = congestion_bound(
                machine, schedule.topology, leader
            )
        # All replicas do the same at the same time.
        return least_latency_cycles(plan.replicas[0], bounds[machine, leader])

    now = schedule.plan.strategy
    least = least_cycles(schedule.plan)
    share = _share_cycles(schedule.plan, schedule.latency_cycles)
    estimates = []
    for neighbour in neighbourhood(schedule):
        plan = neighbour.plan
        try:
            latency = schedule.latency_cycles - least
            latency += least_cycles(plan)
        except RackError:
            continue
        costs = cost_model(objective, plan.task, schedule.topology)
        cost = costs.at_least(plan.strategy, latency, _share_cycles(plan, latency))
        estimates.append((cost, latency, neighbour, costs))
    estimates.sort(key=lambda each: each[0])
    changes = []
    for rank, (bound, estimate, neighbour, costs) in enumerate(estimates[:most]):
        report_progress("changing one thing at a time", rank, min(most, len(estimates)))
        plan, latency, compiled = neighbour.plan, estimate, rank < most_compiled
        cost = bound
        if compiled:
            try:
                changed = compile_token(plan, schedule.topology)
            except RackError:
                continue
            latency, cost = changed.latency_cycles, _cost(costs, changed)
        changes.append(
            Sensitivity(
                name=neighbour.name,
                latency_cycles=latency - schedule.latency_cycles,
                share_cycles=_share_cycles(plan, latency) - share,
                chips=plan.strategy.chips - now.chips,
                cost=cost,
                compiled=compiled,
            )
        )
    return sorted(changes, key=lambda each: each.cost)


def _cost(costs: CostModel, schedule: Schedule) -> Cost:
    """Return the cost of a compiled plan."""
    plan, latency = schedule.plan, schedule.latency_cycles
    share = _share_cycles(plan, latency)
    return costs.exact(plan.strategy, latency, share, lambda: schedule.program)


def _share_cycles(plan: ShardingPlan, latency: int) -> float:
    """Return the machine cycles for each token of full pipelines."""
    return latency / (plan.sequences * plan.strategy.data)
