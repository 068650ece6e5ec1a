"""The best strategy for a number of chips: best first, exact unless cut short.

Every strategy starts with a bound of a few additions. The most promising one is looked
at more closely, step by step: where its exchanges would take place, how its stages
would be cut, and at last by compiling it. Once a compiled strategy is no worse than
what all others promise, no other can beat it.
"""

import heapq
from typing import NamedTuple, final

import numpy as np

from compiler.found import Cost, Evaluated, Found, Objective, nothing_fits, ranked
from compiler.link_bound import link_bound
from compiler.schedule import Schedule
from compiler.size import MOST_TRAINS
from compiler.strategy_bound import (
    WidthBound,
    placed_bound,
    trains_of_width,
    width_bound,
)
from compiler.timeline import Timeline, token_timeline
from compiler.token import compile_token
from sharding.plan import ShardingPlan, fitting_plan
from sharding.slices import Ints
from sharding.strategy import Strategy
from sharding.task import Task
from specs.errors import RackError, ScheduleError
from topologies.cables import CHIPS_PER_NODE
from topologies.topology import Topology

# Beyond so many compiled strategies the search ends and says how far off it may be.
MOST_COMPILED = 40
# As does, with what is planned by then, a search that has cut so many into stages.
_MOST_PLANNED = 100


# The step at which a strategy has its stages and waits to be compiled.
_READY = 3


class _Entry(NamedTuple):
    """A strategy in the queue, with what is known of it."""

    cost: Cost
    step: int
    pipeline: int
    sequences: int


def best_strategy(
    task: Task,
    topology: Topology,
    *,
    objective: Objective,
    sequences: int,
    most_compiled: int = MOST_COMPILED,
) -> Found:
    """Return the best strategy of any tensor width and pipeline on a machine's chips.

    Parameters
    ----------
    task
        Model, machine, context and batch; its tensor width does not matter.
    topology
        The wiring, whose active chips are used from the first on.
    objective
        What is sought.
    sequences
        Sequences in flight. For throughput as many are taken as fit and pay.
    most_compiled
        Strategies to compile at most.

    Raises
    ------
    RackError
        If no strategy fits, or none that fits has a schedule.
    """
    return _Search(task, topology, objective, sequences).run(most_compiled)


@final
class _Search:
    """A queue of strategies and what was found out about widths."""

    def __init__(
        self, task: Task, topology: Topology, objective: Objective, sequences: int
    ) -> None:
        self._task = task
        self._topology = topology
        self._chips: Ints = topology.active.astype(np.int64)
        self._objective = objective
        self._sequences = sequences
        self._links = link_bound(task.machine, topology, int(self._chips[0]))
        self._widths: dict[int, WidthBound] = {}
        self._placed: dict[tuple[int, bool], WidthBound] = {}
        self._queue: list[_Entry] = []
        self._plans: dict[Strategy, ShardingPlan] = {}
        self._planned = 0
        self._best: Schedule | None = None
        self._compiled: list[Evaluated] = []
        self._refused: list[tuple[Strategy, str]] = []

    def run(self, most_compiled: int) -> Found:
        """Return what is best."""
        candidates = self._fill()
        scored = len(self._queue)
        if self._objective is Objective.THROUGHPUT:
            self._begin_with_nodes()
        steps = (self._place, self._place, self._plan, self._compile)
        while self._queue and not self._is_settled(most_compiled):
            entry = self._next()
            steps[entry.step](entry)
        if self._best is None:
            raise self._nothing_found(scored)
        self._compiled.sort(key=lambda each: each.cost)
        best = self._compiled[0].cost.first
        return Found(
            objective=self._objective,
            schedule=self._best,
            candidates=candidates,
            scored=scored,
            planned=self._planned,
            compiled=tuple(self._compiled),
            refused=tuple(self._refused),
            bound=min([best, *(entry.cost.first for entry in self._queue[:1])]),
        )

    def _begin_with_nodes(self) -> None:
        """Compile the pipeline of whole nodes, whose sequences share no links.

        The bound knows nothing of sequences that meet on a link, so that a search for
        throughput over many chips may end before it comes to those that do not.
        """
        tensor = min(CHIPS_PER_NODE, len(self._chips))
        pipeline = len(self._chips) // tensor
        for entry in list(self._queue):
            if entry.cost.tensor == tensor and entry.pipeline == pipeline:
                self._queue.remove(entry)
                self._plan(entry)
        for entry in [entry for entry in self._queue if entry.step == _READY]:
            self._queue.remove(entry)
            self._compile(entry)
        heapq.heapify(self._queue)

    def _fill(self) -> int:
        """Queue every strategy that memory may hold; return how many there are."""
        chips = len(self._chips)
        candidates = 0
        for tensor in range(1, min(chips, self._task.model.hidden_size) + 1):
            stages = chips // tensor
            candidates += stages
            bound = width_bound(self._task._replace(tensor=tensor), stages)
            self._widths[tensor] = bound
            self._queue += [
                self._entry(bound, pipeline, step=0)
                for pipeline in range(1, stages + 1)
                if bound.most_sequences(pipeline) >= self._least_sequences
            ]
        heapq.heapify(self._queue)
        return candidates

    @property
    def _least_sequences(self) -> int:
        return 1 if self._objective is Objective.THROUGHPUT else self._sequences

    def _entry(self, bound: WidthBound, pipeline: int, *, step: int) -> _Entry:
        sequences = self._sequences
        if self._objective is Objective.THROUGHPUT:
            # As many tokens as there are stages are at work at once, and no more.
            sequences = min(pipeline, bound.most_sequences(pipeline))
        strategy = Strategy(tensor=bound.task.tensor, pipeline=pipeline)
        cycles = bound.token_cycles(pipeline)
        return _Entry(
            ranked(self._objective, strategy, cycles, cycles / sequences),
            step,
            pipeline,
            sequences,
        )

    def _is_settled(self, most_compiled: int) -> bool:
        if not self._compiled:
            return False
        best = min(each.cost for each in self._compiled)
        return (
            len(self._compiled) >= most_compiled
            or self._planned >= _MOST_PLANNED
            or best <= self._queue[0].cost
        )

    def _next(self) -> _Entry:
        """Return the most promising entry, of those planned if there are enough."""
        if self._planned < _MOST_PLANNED or not self._plans:
            return heapq.heappop(self._queue)
        ready = min(entry for entry in self._queue if entry.step == _READY)
        self._queue.remove(ready)
        heapq.heapify(self._queue)
        return ready

    def _push(self, entry: _Entry, before: _Entry) -> None:
        """Queue what is known better now; a bound never falls."""
        cost = max(entry.cost, before.cost)
        heapq.heappush(self._queue, entry._replace(cost=cost))

    def _place(self, entry: _Entry) -> None:
        """Look at the links between the chips of each group, then of each team."""
        tensor = entry.cost.tensor
        bound = self._widths[tensor]
        strategy = Strategy(tensor=tensor, pipeline=entry.pipeline)
        key = (tensor, bool(entry.step))
        if key not in self._placed:
            where = bound, self._topology, self._chips
            if trains_of_width(*where).min() > MOST_TRAINS:
                self._placed[key] = bound
            else:
                self._placed[key] = placed_bound(*where, self._links, teams=key[1])
        placed = self._placed[key]
        if placed is bound:
            self._refused.append((strategy, "takes more trains than memory holds"))
            return
        self._push(self._entry(placed, entry.pipeline, step=entry.step + 1), entry)

    def _plan(self, entry: _Entry) -> None:
        """Cut the stages."""
        self._planned += 1
        strategy = Strategy(tensor=entry.cost.tensor, pipeline=entry.pipeline)
        try:
            plan = self._fitting(strategy, entry.sequences)
            if plan is None:
                return
            chain = self._least(plan)
            if self._objective is Objective.THROUGHPUT:
                # More sequences than this would only wait for each other.
                pays = -(-chain.token_cycles // max(chain.stage_cycles))
                if pays < plan.sequences:
                    plan = self._fitting(strategy, pays)
                    assert plan is not None, "fewer sequences take less memory"
                    chain = self._least(plan)
        except RackError as error:
            self._refused.append((strategy, str(error)))
            return
        latency = chain.token_cycles
        if plan.sequences > 1:
            latency = max(latency, plan.sequences * max(chain.stage_cycles))
        self._plans[strategy] = plan
        cost = ranked(self._objective, strategy, latency, latency / plan.sequences)
        self._push(_Entry(cost, _READY, entry.pipeline, plan.sequences), entry)

    def _least(self, plan: ShardingPlan) -> Timeline:
        """Return the chain of a plan in which everything takes as little as it may."""
        return token_timeline(plan, self._topology, self._links, interval_cycles=0)

    def _fitting(self, strategy: Strategy, most: int) -> ShardingPlan | None:
        """Return the plan with as many sequences as fit, None if too few do."""
        task = self._task._replace(tensor=strategy.tensor)
        least = 1 if self._objective is Objective.THROUGHPUT else most
        found = fitting_plan(task, strategy, self._chips, sequences=most)
        low, high = least, most - 1
        while found is None and low <= high:
            middle = (low + high + 1) // 2
            plan = fitting_plan(task, strategy, self._chips, sequences=middle)
            if plan is None:
                high = middle - 1
            elif middle == high:
                return plan
            else:
                low = middle
        return found

    def _compile(self, entry: _Entry) -> None:
        """Compile; what is compiled is known for certain."""
        strategy = Strategy(tensor=entry.cost.tensor, pipeline=entry.pipeline)
        plan = self._plans.pop(strategy)
        try:
            schedule = compile_token(plan, self._topology)
        except RackError as error:
            self._refused.append((strategy, str(error)))
            return
        latency = schedule.latency_cycles
        cost = ranked(self._objective, strategy, latency, latency / plan.sequences)
        if self._best is None or cost < min(each.cost for each in self._compiled):
            self._best = schedule
        stage_cycles = schedule.timeline.stage_cycles
        pace = schedule.program.interval_cycles or max(stage_cycles)
        self._compiled.append(
            Evaluated(strategy, plan.sequences, cost, latency, pace, stage_cycles)
        )

    def _nothing_found(self, scored: int) -> RackError:
        """Return the error that says what the chips lack."""
        task, chips = self._task, len(self._chips)
        if scored and self._refused:
            strategy, reason = self._refused[0]
            return ScheduleError(
                f"no strategy for {task.model.name} on {chips} chips has a schedule; "
                f"{strategy}: {reason}"
            )
        return nothing_fits(self._widths[1], chips, self._least_sequences)
