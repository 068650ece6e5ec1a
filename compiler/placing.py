"""A schedule on chips that suit it, if that is faster than on the chips in order."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from compiler.schedule import Schedule
from compiler.token import compile_token
from sharding.nearness import nearby
from sharding.plan import ShardingPlan
from sharding.slices import Ints
from specs.errors import ScheduleError
from topologies.topology import Topology


class Placed(NamedTuple):
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


def best_placed(naive: Schedule) -> Placed:
    """Return the schedule of the same split on chips near to each other, if faster.

    Parameters
    ----------
    naive
        The schedule of a plan whose chips are the first active ones of its topology.
        That of replicas, which are placed to come apart, is returned as it is.
    """
    plan = naive.plan
    if plan.strategy.data > 1:
        return Placed(naive, naive.latency_cycles)
    topology = nearby(plan.task, plan.strategy, naive.topology)
    moved = on_chips(plan, topology)
    try:
        found = compile_token(moved, topology)
    except ScheduleError:
        return Placed(naive, naive.latency_cycles)
    best = min(naive, found, key=lambda schedule: schedule.latency_cycles)
    return Placed(best, naive.latency_cycles)


def on_chips(plan: ShardingPlan, topology: Topology) -> ShardingPlan:
    """Return a plan whose stages hold the same on a topology's first active chips."""
    chips: Ints = topology.active[: plan.strategy.chips].astype(np.int64)
    groups = chips.reshape(len(plan.stages), plan.strategy.tensor)
    stages = zip(plan.stages, groups, strict=True)
    return replace(
        plan, stages=tuple(replace(stage, chips=group) for stage, group in stages)
    )
