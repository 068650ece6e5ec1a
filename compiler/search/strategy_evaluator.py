"""Closer and closer looks at a strategy: what each shows of its cost."""

from collections.abc import Collection
from dataclasses import replace
from typing import final

import numpy as np

from compiler.bounds.block_bound import KnownBlocks
from compiler.bounds.congestion_bound import link_bound
from compiler.bounds.critical_path_bound import CriticalPathBound
from compiler.bounds.exchange_bound import KnownExchanges
from compiler.bounds.hop_count_bound import (
    HopCountBound,
    detour_bound,
    least_replica_cycles,
)
from compiler.bounds.strategy_bound import (
    PlacedSplitBound,
    SplitBound,
    trains_of_width,
    width_bound,
)
from compiler.bounds.throughput_bound import most_sequences
from compiler.scheduling.train_count import MOST_TRAINS
from compiler.search import search_space
from sharding.parallelism.strategy import Strategy
from sharding.placement.default_placement import placed_chips
from sharding.planner.plan import ShardingPlan, staged_plan
from sharding.planner.stage_partition import stage_blocks, stage_cuts
from sharding.transformer.blocks import Block, model_units
from sharding.transformer.task import Task
from specs.arrays import Ints
from topologies.topology import Topology


@final
class StrategyEvaluator:
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
        shape = search_space.machine_shape(topology)
        evaluated = search_space.widths(len(self.chips), task.model, shape)
        if widths is not None:
            evaluated = [width for width in range(1, most + 1) if width in widths]
        self.splits = [
            split
            for width in evaluated
            for split in search_space.splits(task.model, width, shape, plain=plain)
        ]
        self._links = link_bound(task.machine, topology, int(self.chips[0]))
        self._blocks = KnownBlocks()
        self._exchanges = KnownExchanges(self._links)
        self._chain = CriticalPathBound(self._links, self._exchanges)
        self._detours: HopCountBound | None = None
        self._free_cuts: dict[Strategy, list[tuple[Block, ...]]] = {}
        self._cut: dict[tuple[Strategy, int], ShardingPlan | None] = {}
        self._replica: dict[tuple[Strategy, int, bytes], int] = {}
        self._anywhere: dict[Strategy, SplitBound] = {}
        self._placed: dict[Strategy, PlacedSplitBound | None] = {}

    def pipelines(self, split: Strategy) -> list[Strategy]:
        """Return a split with each number of stages that there can be, from one on."""
        most = len(self.chips) // split.tensor
        return [replace(split, pipeline=stages) for stages in range(1, most + 1)]

    def replicas(self, strategy: Strategy) -> list[Strategy]:
        """Return a pipeline as often as there can be replicas of it, from one on."""
        most = len(self.chips) // strategy.replica_chips
        return [replace(strategy, data=count) for count in range(1, most + 1)]

    def most_sequences(self, strategy: Strategy) -> int:
        """Return a number of sequences that memory cannot exceed, 0 if none fits."""
        most = self.anywhere(strategy).most_sequences(strategy.pipeline)
        task = self._task.split_as(strategy)
        if not most or task.group.alternating_groups > 1:
            return most
        return min(most, most_sequences(task, strategy.pipeline))

    def anywhere(self, strategy: Strategy) -> SplitBound:
        """Return the bound of a split wherever its chips are."""
        split = replace(strategy, pipeline=1, data=1)
        if split not in self._anywhere:
            task = self._task.split_as(split)
            most = len(self.chips) // split.tensor
            self._anywhere[split] = width_bound(task, most, self._blocks)
        return self._anywhere[split]

    def placed(self, strategy: Strategy, *, teams: bool) -> SplitBound | None:
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
                PlacedSplitBound(bound, self.chips, self._links, self._exchanges)
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

    def closest(self, strategy: Strategy) -> SplitBound:
        """Return the closest bound without stages that holds for a strategy."""
        placed = None
        if strategy.data == 1:
            placed = self.placed(strategy, teams=True)
        return placed or self.anywhere(strategy)

    def cut_freely(self, plan: ShardingPlan) -> bool:
        """Return whether memory leaves the cuts of a plan as they are for a sequence.

        So are they then for any number of sequences up to those of the plan.
        """
        one = replace(plan.strategy, data=1)
        if one not in self._free_cuts:
            free = self.fitting(one, most=1, least=1)
            assert free is not None
            self._free_cuts[one] = [stage.blocks for stage in free.stages]
        cuts = [stage.blocks for stage in plan.stages[: one.pipeline]]
        return cuts == self._free_cuts[one]

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
        if strategy.data > 1:
            return self._replicated(task, strategy, most=most, least=least)
        stages = strategy.pipeline
        units = model_units(
            task.model, task.machine, tensor=task.tensor, pipeline=stages
        )

        def cuts_of(sequences: int) -> list[int] | None:
            return stage_cuts(task, units, pipeline=stages, sequences=sequences)

        # What is known not to fit is seldom far above what does.
        too_many, fitting, step = most + 1, most, 1
        cuts = cuts_of(fitting)
        while cuts is None and fitting > least:
            too_many, fitting = fitting, max(least, fitting - step)
            step *= 2
            cuts = cuts_of(fitting)
        if cuts is None:
            return None
        while too_many - fitting > 1:
            middle = (fitting + too_many) // 2
            more = cuts_of(middle)
            if more is None:
                too_many = middle
            else:
                fitting, cuts = middle, more
        blocks = stage_blocks(units, cuts)
        return staged_plan(task, strategy, self.chips, blocks, fitting)

    def _replicated(
        self, task: Task, strategy: Strategy, *, most: int, least: int
    ) -> ShardingPlan | None:
        """Return the plan of replicas, all of which are cut as one alone is."""
        one = replace(strategy, data=1)
        if (one, most) not in self._cut:
            self._cut[one, most] = self.fitting(one, most=most, least=least)
        plan = self._cut[one, most]
        if plan is None:
            return None
        blocks = [stage.blocks for stage in plan.stages]
        chips = placed_chips(self.topology, strategy)
        return staged_plan(task, strategy, chips, blocks, plan.sequences)

    def least_latency(self, plan: ShardingPlan) -> int:
        """Return what no schedule of a plan beats, from a token to its sequence's next.

        Everything in the chain takes as little as it may.
        """
        if plan.strategy.data == 1:
            return self._chain.least_latency(plan)
        one = plan.replicas[0]
        key = one.strategy, one.sequences, one.stages[0].chips.tobytes()
        if key not in self._replica:
            if self._detours is None:
                leader = int(self.chips[0])
                self._detours = detour_bound(one.task.machine, self.topology, leader)
            self._replica[key] = least_replica_cycles(one, self._detours)
        return self._replica[key]
