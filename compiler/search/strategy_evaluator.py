"""Strategy evaluator: bounds and plans of strategies, from cheap to close."""

from collections.abc import Collection
from dataclasses import replace
from functools import lru_cache
from typing import final

import numpy as np

from compiler.bounds.block_bound import BlockBoundCache
from compiler.bounds.congestion_bound import congestion_bound
from compiler.bounds.critical_path_bound import CriticalPathBound
from compiler.bounds.exchange_bound import ExchangeBoundCache
from compiler.bounds.hop_count_bound import (
    HopCountBound,
    hop_count_bound,
    least_replica_cycles,
)
from compiler.bounds.placed_bound import PlacedSplitBound
from compiler.bounds.strategy_bound import (
    SplitBound,
    least_split_trains,
    split_bound,
)
from compiler.bounds.throughput_bound import most_sequences
from compiler.collectives.exchange_selection import MOST_TRAINS
from compiler.search import search_space
from sharding.parallelism.feasibility import check_positions
from sharding.parallelism.strategy import Strategy
from sharding.placement.default_placement import placed_chips
from sharding.planner.plan import ShardingPlan, staged_plan
from sharding.planner.stage_partition import stage_blocks, stage_cuts
from sharding.weights.blocks import Block, model_units
from sharding.weights.task import Task
from specs.arrays import Ints
from topologies.topology import Topology


@final
class StrategyEvaluator:
    """Evaluator of the strategies for a job on a topology; it keeps what it computes.

    Parameters
    ----------
    task
        The job; its tensor width does not matter.
    topology
        The topology, whose active chips are used from the first on.
    widths
        Tensor widths to evaluate, those of `search_space.widths` if None.
    plain
        Whether to evaluate only the split in which all chips share every layer alike.

    Attributes
    ----------
    splits
        Splits of a layer over a group, each as a strategy of a single stage.
    """

    def __init__(
        self,
        task: Task,
        topology: Topology,
        widths: Collection[int] | None = None,
        *,
        plain: bool = False,
    ) -> None:
        check_positions(task.model, task.context)
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
        self._links = congestion_bound(task.machine, topology, int(self.chips[0]))
        self._block_bounds = BlockBoundCache()
        self._exchange_bounds = ExchangeBoundCache(self._links)
        self._critical_path = CriticalPathBound(self._links, self._exchange_bounds)
        self._hop_count_bound: HopCountBound | None = None
        self._free_cuts: dict[Strategy, list[tuple[Block, ...]]] = {}
        self._cut: dict[tuple[Strategy, int], ShardingPlan | None] = {}
        self._replica_latency: dict[tuple[Strategy, int, bytes], int] = {}
        self._unplaced: dict[Strategy, SplitBound] = {}
        self._placed: dict[Strategy, PlacedSplitBound | None] = {}

    def pipelines(self, split: Strategy) -> list[Strategy]:
        """Return a split with 1, 2, ... stages, as many as the chips allow for."""
        most = len(self.chips) // split.tensor
        return [replace(split, pipeline=stages) for stages in range(1, most + 1)]

    def replicas(self, strategy: Strategy) -> list[Strategy]:
        """Return a pipeline with 1, 2, ... replicas, as many as the chips allow for."""
        most = len(self.chips) // strategy.replica_chips
        return [replace(strategy, data=count) for count in range(1, most + 1)]

    def most_sequences(self, strategy: Strategy) -> int:
        """Return an upper bound on the sequences that memory holds, 0 if none."""
        most = self.unplaced_bound(strategy).most_sequences(strategy.pipeline)
        task = self._task.split_as(strategy)
        if not most or task.group.alternating_groups > 1:
            return most
        return min(most, most_sequences(task, strategy.pipeline))

    def unplaced_bound(self, strategy: Strategy) -> SplitBound:
        """Return the bound of a split wherever its chips are."""
        split = replace(strategy, pipeline=1, data=1)
        if split not in self._unplaced:
            task = self._task.split_as(split)
            most = len(self.chips) // split.tensor
            self._unplaced[split] = split_bound(task, most, self._block_bounds)
        return self._unplaced[split]

    def placed_bound(
        self, strategy: Strategy, *, head_groups: bool, exact: int | None = None
    ) -> SplitBound | None:
        """Return the bound of a split on its chips; None if it takes too many trains.

        Parameters
        ----------
        strategy
            The strategy; the bound serves all shorter pipelines too.
        head_groups
            Whether to evaluate exchanges within KV-head groups as well.
        exact
            Kinds of exchanges that are evaluated, as in `PlacedSplitBound.bound`.
        """
        split = replace(strategy, pipeline=1)
        if split not in self._placed:
            bound = self.unplaced_bound(split)
            # In most splits the first group takes few enough.
            first = self.chips[: split.tensor]
            trains = least_split_trains(bound, self.topology, first)
            if trains.min() > MOST_TRAINS:
                trains = least_split_trains(bound, self.topology, self.chips)
            self._placed[split] = (
                PlacedSplitBound(
                    bound,
                    self.chips,
                    self._links,
                    self._exchange_bounds,
                    self._block_bounds,
                )
                if trains.min() <= MOST_TRAINS
                else None
            )
        placed = self._placed[split]
        return placed and placed.bound(
            strategy.pipeline, head_groups=head_groups, exact=exact
        )

    def crosses_nodes(self, strategy: Strategy) -> bool:
        """Return whether some tensor group has chips of several nodes."""
        node = self.topology.node[self.chips[: strategy.chips]]
        groups = node.reshape(strategy.pipeline, strategy.tensor)
        return bool((groups != groups[:, :1]).any())

    def closest_bound(self, strategy: Strategy) -> SplitBound:
        """Return the highest bound of a strategy before its stages are cut."""
        placed = None
        if strategy.data == 1:
            placed = self.placed_bound(strategy, head_groups=True)
        return placed or self.unplaced_bound(strategy)

    def cut_freely(self, plan: ShardingPlan) -> bool:
        """Return whether a plan is cut as it would be for one sequence alone.

        If so, it is cut alike for any number of sequences up to its own.
        """
        one = replace(plan.strategy, data=1)
        if one not in self._free_cuts:
            free = self.fitting_plan(one, most=1, least=1)
            assert free is not None
            self._free_cuts[one] = [stage.blocks for stage in free.stages]
        cuts = [stage.blocks for stage in plan.stages[: one.pipeline]]
        return cuts == self._free_cuts[one]

    def fitting_plan(
        self, strategy: Strategy, *, most: int, least: int
    ) -> ShardingPlan | None:
        """Return the plan of a strategy with as many sequences as fit.

        Parameters
        ----------
        strategy
            What is planned.
        most, least
            Sequences in flight at most, and at least.

        Returns
        -------
        ShardingPlan | None
            None if not even `least` sequences fit.

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

        # The most sequences that fit are seldom far below those that may.
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
        """Return the plan of replicas, all of which are cut like one alone."""
        one = replace(strategy, data=1)
        if (one, most) not in self._cut:
            self._cut[one, most] = self.fitting_plan(one, most=most, least=least)
        plan = self._cut[one, most]
        if plan is None:
            return None
        blocks = [stage.blocks for stage in plan.stages]
        chips = placed_chips(self.topology, strategy)
        return staged_plan(task, strategy, chips, blocks, plan.sequences)

    def least_latency(self, plan: ShardingPlan) -> int:
        """Return a lower bound on the cycles from a token to its sequence's next.

        Everything on the critical path takes as little as it may.
        """
        if plan.strategy.data == 1:
            return self._critical_path.least_latency(plan)
        one = plan.replicas[0]
        key = one.strategy, one.sequences, one.stages[0].chips.tobytes()
        if key not in self._replica_latency:
            if self._hop_count_bound is None:
                leader = int(self.chips[0])
                self._hop_count_bound = hop_count_bound(
                    one.task.machine, self.topology, leader
                )
            self._replica_latency[key] = least_replica_cycles(
                one, self._hop_count_bound
            )
        return self._replica_latency[key]


def shared_evaluator(task: Task, topology: Topology) -> StrategyEvaluator:
    """Return the evaluator of all strategies in the search space of a job.

    The one that was asked for last is kept with all that it knows: a ranking follows a
    search, and the searches for the ends of a front come before it.

    Parameters
    ----------
    task, topology
        The job and the topology; how the task is split does not matter.
    """
    return _evaluator(task.split_as(Strategy(tensor=1, pipeline=1)), topology)


@lru_cache(maxsize=1)
def _evaluator(task: Task, topology: Topology) -> StrategyEvaluator:
    """Return the evaluator of a job that is not split."""
    return StrategyEvaluator(task, topology)
