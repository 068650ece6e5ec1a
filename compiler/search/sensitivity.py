"""What small changes to a plan would win or cost, the promising ones compiled."""

from dataclasses import dataclass
from typing import final

from compiler.bounds.congestion_bound import CongestionBound, link_bound
from compiler.bounds.critical_path_bound import least_latency_cycles
from compiler.compile_decode import compile_token
from compiler.ir.schedule import Schedule
from compiler.search.neighbourhood import moves
from compiler.search.objective import Cost, Objective, cost_of
from sharding.planner.plan import ShardingPlan
from specs.errors import RackError
from specs.machine import MachineSpec

# Compiling takes a second each for 576 chips.
MOST_COMPILED = 5


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """What a move changes.

    Parameters
    ----------
    name
        What is done.
    latency_cycles
        Change of the cycles from a token to the next of the same sequence.
    share_cycles
        Change of the cycles of the machine for each token.
    chips
        Change of the chips that are used.
    cost
        Rank of what it leads to.
    compiled
        Whether it was compiled; else the changes are those of the lower bound.
    """

    name: str
    latency_cycles: int
    share_cycles: float
    chips: int
    cost: Cost
    compiled: bool


def best_moves(
    schedule: Schedule,
    objective: Objective,
    *,
    most: int,
    most_compiled: int = MOST_COMPILED,
) -> list[Sensitivity]:
    """Return the moves that promise most, the best first.

    Parameters
    ----------
    schedule
        What they start from.
    objective
        What they are ranked by.
    most
        Moves to return.
    most_compiled
        How many of them are compiled; the others are weighed by the lower bound of
        where they lead less the one of `schedule`.
    """
    known: dict[tuple[MachineSpec, int], CongestionBound] = {}

    def least_cycles(plan: ShardingPlan) -> int:
        machine, leader = plan.task.machine, int(plan.stages[0].chips[0])
        if (machine, leader) not in known:
            known[machine, leader] = link_bound(machine, schedule.topology, leader)
        # Replicas run side by side, and alike.
        return least_latency_cycles(plan.replicas[0], known[machine, leader])

    now = schedule.plan.strategy
    least = least_cycles(schedule.plan)
    share = _share_cycles(schedule.plan, schedule.latency_cycles)
    weighed = []
    for move in moves(schedule):
        plan = move.plan
        try:
            latency = schedule.latency_cycles - least
            latency += least_cycles(plan)
        except RackError:
            continue
        weighed.append((_cost(objective, plan, latency), latency, move))
    weighed.sort(key=lambda each: each[0])
    found = []
    for rank, (_, estimate, move) in enumerate(weighed[:most]):
        plan, latency, compiled = move.plan, estimate, rank < most_compiled
        if compiled:
            try:
                latency = compile_token(plan, schedule.topology).latency_cycles
            except RackError:
                continue
        found.append(
            Sensitivity(
                name=move.name,
                latency_cycles=latency - schedule.latency_cycles,
                share_cycles=_share_cycles(plan, latency) - share,
                chips=plan.strategy.chips - now.chips,
                cost=_cost(objective, plan, latency),
                compiled=compiled,
            )
        )
    return sorted(found, key=lambda each: each.cost)


def _cost(objective: Objective, plan: ShardingPlan, latency: int) -> Cost:
    return cost_of(objective, plan.strategy, latency, _share_cycles(plan, latency))


def _share_cycles(plan: ShardingPlan, latency: int) -> float:
    """Return the cycles of the machine for each token, when the pipelines are full."""
    return latency / (plan.sequences * plan.strategy.data)
