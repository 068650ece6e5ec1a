"""Closer and closer looks at a strategy: what each shows of its cost."""

from collections.abc import Collection
from dataclasses import replace
from typing import final

import numpy as np

from compiler.block_bound import KnownBlocks
from compiler.chain_bound import ChainBound
from compiler.exchange_bound import KnownExchanges
from compiler.link_bound import link_bound
from compiler.size import MOST_TRAINS
from compiler.space import splits
from compiler.space import widths as usual_widths
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
        Tensor widths to look at, those of `space.widths` if None.
    plain
        Whether to look at groups alone that share everything alike.

    Attributes
    ----------
    splits
        Ways for a group to share a layer, each as a single stage.
    """

    def __init__(
        self,
        task: Task,
        topology: Topology,
        widths: Collection[int] | None = None,
        *,
        plain: bool = False,
    ) -> None:
        self._task = task
        self.topology = topology
        self.chips: Ints = topology.active.astype(np.int64)
        most = min(len(self.chips), task.model.hidden_size)
        looked_at = usual_widths(len(self.chips), task.model)
        if widths is not None:
            looked_at = [width for width in range(1, most + 1) if width in widths]
        self.splits = [
            s for width in looked_at for s in splits(task.model, width, plain=plain)
        ]
        self._links = link_bound(task.machine, topology, int(self.chips[0]))
        self._blocks = KnownBlocks()
        self._exchanges = KnownExchanges(self._links)
        self._chain = ChainBound(self._links, self._exchanges)
        self._anywhere: dict[Strategy, WidthBound] = {}
        self._placed: dict[Strategy, PlacedWidth | None] = {}

    def pipelines(self, split: Strategy) -> list[Strategy]:
        """Return a split with each number of stages that there can be, from one on."""
        most = len(self.chips) // split.tensor
        return [replace(split, pipeline=stages) for stages in range(1, most + 1)]

    def anywhere(self, strategy: Strategy) -> WidthBound:
        """Return the bound of a split wherever its chips are."""
        split = replace(strategy, pipeline=1)
        if split not in self._anywhere:
            task = self._task.split_as(split)
            most = len(self.chips) // split.tensor
            self._anywhere[split] = width_bound(task, most, self._blocks)
        return self._anywhere[split]

    def placed(self, strategy: Strategy, *, teams: bool) -> WidthBound | None:
        """Return the bound of a split on its chips; None if it takes too many trains.

        Parameters
        ----------
        strategy
            The strategy; the bound serves all shorter pipelines too.
        teams
            Whether to look at exchanges within teams as well.
        """
        split = replace(strategy, pipeline=1)
        if split not in self._placed:
            bound = self.anywhere(split)
            trains = trains_of_width(bound, self.topology, self.chips)
            self._placed[split] = (
                PlacedWidth(bound, self.chips, self._links, self._exchanges)
                if trains.min() <= MOST_TRAINS
                else None
            )
        placed = self._placed[split]
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
        task = self._task.split_as(strategy)
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
        """
        return self._chain.least_latency(plan)
