"""Placement search: a schedule on neighbouring chips, if that is the faster one."""

from dataclasses import replace
from math import inf
from typing import NamedTuple

import numpy as np

from compiler.compile_decode import compile_token, time_token
from compiler.ir.schedule import Schedule
from compiler.search.search_result import SearchResult
from sharding.placement.default_placement import placed_chips
from sharding.placement.locality_placement import nearby
from sharding.planner.plan import ShardingPlan, plan_sharding
from specs.arrays import Ints
from specs.errors import ScheduleError
from topologies.topology import Topology

# Strategies of a search that are timed on neighbouring chips.
_MOST_TIMED = 10


class PlacedSchedule(NamedTuple):
    """Placed schedule: the faster one of two placements.

    Attributes
    ----------
    schedule
        On the chips in the order of its topology's active ones.
    naive_cycles
        Latency of the plan on the chips in the order that they had before.
    """

    schedule: Schedule
    naive_cycles: int

    @property
    def gain_cycles(self) -> int:
        """Return the cycles that a token is faster than on the chips in order, or 0."""
        return self.naive_cycles - self.schedule.latency_cycles

    def __str__(self) -> str:
        """Return the gain of the placement as a sentence."""
        share = self.gain_cycles / self.naive_cycles
        return (
            f"{self.gain_cycles:,} of {self.naive_cycles:,} cycles less than on the "
            f"chips in order ({share:.2%})"
        )


def best_placed(naive: Schedule) -> PlacedSchedule:
    """Search neighbouring chips for a faster schedule of the same split.

    Parameters
    ----------
    naive
        The schedule of a plan whose chips are the first active ones of its topology.
        That of replicas, which are placed apart from each other, stays as it is.
    """
    plan = naive.plan
    if plan.strategy.data > 1:
        return PlacedSchedule(naive, naive.latency_cycles)
    topology = nearby(plan.task, plan.strategy, naive.topology)
    moved = on_chips(plan, topology)
    try:
        placed = compile_token(moved, topology)
    except ScheduleError:
        return PlacedSchedule(naive, naive.latency_cycles)
    best = min(naive, placed, key=lambda schedule: schedule.latency_cycles)
    return PlacedSchedule(best, naive.latency_cycles)


def fastest_placed(result: SearchResult) -> ShardingPlan:
    """Return the fastest plan on neighbouring chips of a search's best strategies.

    Parameters
    ----------
    result
        A search for latency, on the chips in order.

    Returns
    -------
    ShardingPlan
        The plan with the fastest token on neighbouring chips; it is on the chips in
        order.
    """
    best, topology = result.schedule.plan, result.schedule.topology

    def neighbouring_cycles(plan: ShardingPlan) -> float:
        placed = nearby(plan.task, plan.strategy, topology)
        try:
            return time_token(on_chips(plan, placed), placed).timeline.token_cycles
        except ScheduleError:
            return inf

    plans = [
        plan_sharding(
            best.task.split_as(known.strategy),
            known.strategy,
            placed_chips(topology, known.strategy),
            sequences=best.sequences,
        )
        for known in result.known[:_MOST_TIMED]
    ]
    return min(plans, key=neighbouring_cycles)


def on_chips(plan: ShardingPlan, topology: Topology) -> ShardingPlan:
    """Return a search's plan with its stages on a topology's first active chips."""
    chips: Ints = topology.active[: plan.strategy.chips].astype(np.int64)
    groups = chips.reshape(len(plan.stages), plan.strategy.tensor)
    stages = zip(plan.stages, groups, strict=True)
    return replace(
        plan, stages=tuple(replace(stage, chips=group) for stage, group in stages)
    )
