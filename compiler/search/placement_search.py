"""A schedule on chips that suit it, if that is faster than on the chips in order."""

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

# Strategies of a search that are timed on near chips.
_MOST_TIMED = 10


class PlacedSchedule(NamedTuple):
    """The faster one of two schedules.

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
        """Return by how much a token is faster than on the chips in order, or 0."""
        return self.naive_cycles - self.schedule.latency_cycles

    def __str__(self) -> str:
        """Return what the choice of chips gains, for people."""
        share = self.gain_cycles / self.naive_cycles
        return (
            f"{self.gain_cycles:,} of {self.naive_cycles:,} cycles less than on the "
            f"chips in order ({share:.2%})"
        )


def best_placed(naive: Schedule) -> PlacedSchedule:
    """Return the schedule of the same split on chips near to each other, if faster.

    Parameters
    ----------
    naive
        The schedule of a plan whose chips are the first active ones of its topology.
        That of replicas, which are placed to come apart, is returned as it is.
    """
    plan = naive.plan
    if plan.strategy.data > 1:
        return PlacedSchedule(naive, naive.latency_cycles)
    topology = nearby(plan.task, plan.strategy, naive.topology)
    moved = on_chips(plan, topology)
    try:
        found = compile_token(moved, topology)
    except ScheduleError:
        return PlacedSchedule(naive, naive.latency_cycles)
    best = min(naive, found, key=lambda schedule: schedule.latency_cycles)
    return PlacedSchedule(best, naive.latency_cycles)


def fastest_near(found: SearchResult) -> ShardingPlan:
    """Return, of the best strategies of a search, the fastest on chips near each other.

    Parameters
    ----------
    found
        A search for latency, on the chips in order.
    """
    best, topology = found.schedule.plan, found.schedule.topology

    def near_cycles(plan: ShardingPlan) -> float:
        near = nearby(plan.task, plan.strategy, topology)
        try:
            return time_token(on_chips(plan, near), near).timeline.token_cycles
        except ScheduleError:
            return inf

    plans = [
        plan_sharding(
            best.task.split_as(known.strategy),
            known.strategy,
            placed_chips(topology, known.strategy),
            sequences=best.sequences,
        )
        for known in found.known[:_MOST_TIMED]
    ]
    return min(plans, key=near_cycles)


def on_chips(plan: ShardingPlan, topology: Topology) -> ShardingPlan:
    """Return a plan whose stages hold the same on a topology's first active chips."""
    chips: Ints = topology.active[: plan.strategy.chips].astype(np.int64)
    groups = chips.reshape(len(plan.stages), plan.strategy.tensor)
    stages = zip(plan.stages, groups, strict=True)
    return replace(
        plan, stages=tuple(replace(stage, chips=group) for stage, group in stages)
    )
