"""Closer and closer looks at a strategy: what each shows of its cost."""

from collections.abc import Collection
from typing import final

import numpy as np

from compiler.link_bound import least_latency_cycles, link_bound
from compiler.size import MOST_TRAINS
from compiler.strategy_bound import (
    PlacedWidth,
    WidthBound,
    trains_of_width,
    width_bound,
)
from sharding.plan import ShardingPlan, fitting_plan
from sharding.slices import Ints
from sharding.strategy import Strategy
from sharding.task import Task
from topologies.topology import Topology


@final
class Looks:
    """What is known of the strategies for a job on a wiring.

    Parameters
    ----------
    task
        The job; its tensor width does not matter.
    topology
        The wiring, whose active chips are used from the first on.
    widths
        Tensor widths to look at, those that there can be if None.
    """

    def __init__(
        self, task: Task, topology: Topology, widths: Collection[int] | None = None
    ) -> None:
        self._task = task
        self.topology = topology
        self.chips: Ints = topology.active.astype(np.int64)
        most = min(len(self.chips), task.model.hidden_size)
        every = range(1, most + 1)
        self.widths = [w for w in every if widths is None or w in widths]
        self._links = link_bound(task.machine, topology, int(self.chips[0]))
        self._widths: dict[int, WidthBound] = {}
        self._placed: dict[int, PlacedWidth | None] = {}

    def pipelines(self, tensor: int) -> range:
        """Return the pipelines that there can be at a width."""
        return range(1, len(self.chips) // tensor + 1)

    def anywhere(self, tensor: int) -> WidthBound:
        """Return the bound of a width wherever its chips are."""
        if tensor not in self._widths:
            task = self._task._replace(tensor=tensor)
            self._widths[tensor] = width_bound(task, len(self.chips) // tensor)
        return self._widths[tensor]

    def placed(self, strategy: Strategy, *, teams: bool) -> WidthBound | None:
        """Return the bound of a width on its chips; None if it takes too many trains.

        Parameters
        ----------
        strategy
            The strategy; the bound serves all shorter pipelines too.
        teams
            Whether to look at exchanges within teams as well.
        """
        if strategy.tensor not in self._placed:
            where = self.anywhere(strategy.tensor), self.topology, self.chips
            held = trains_of_width(*where).min() <= MOST_TRAINS
            made = PlacedWidth(*where, self._links) if held else None
            self._placed[strategy.tensor] = made
        placed = self._placed[strategy.tensor]
        return placed and placed.bound(strategy.pipeline, teams=teams)

    def crosses_nodes(self, strategy: Strategy) -> bool:
        """Return whether some tensor group has chips of several nodes."""
        node = self.topology.node[self.chips[: strategy.chips]]
        groups = node.reshape(strategy.pipeline, strategy.tensor)
        return bool((groups != groups[:, :1]).any())

    def fitting(
        self, strategy: Strategy, *, most: int, least: int
    ) -> ShardingPlan | None:
        """Return the plan with as many sequences as fit, None if not even `least` do.

        Raises
        ------
        PlanError
            If there are more stages than the model has pieces.
        """
        task = self._task._replace(tensor=strategy.tensor)
        found = fitting_plan(task, strategy, self.chips, sequences=most)
        low, high = least, most - 1
        while found is None and low <= high:
            middle = (low + high + 1) // 2
            plan = fitting_plan(task, strategy, self.chips, sequences=middle)
            if plan is None:
                high = middle - 1
            elif middle == high:
                return plan
            else:
                low = middle
        return found

    def least_latency(self, plan: ShardingPlan) -> int:
        """Return what no schedule of a plan beats, from a token to its sequence's next.

        Everything in the chain takes as little as it may.

        Raises
        ------
        ScheduleError
            If it takes more trains than memory holds.
        """
        return least_latency_cycles(plan, self.topology, self._links)
