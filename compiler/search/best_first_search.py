"""Best-first search: takes the most promising strategy one step further each time."""

import heapq
from typing import final

from compiler.bounds.strategy_bound import SplitBound
from compiler.compile_decode import TimedToken
from compiler.search.exact_evaluator import ExactEvaluator
from compiler.search.frontier import (
    FrontierEntry,
    SearchStep,
    bounded_entry,
    initial_entries,
)
from compiler.search.objective import Objective, cost_model
from compiler.search.search_result import SearchResult, nothing_fits
from compiler.search.search_space import machine_shape
from compiler.search.strategy_evaluator import StrategyEvaluator
from sharding.parallelism.strategy import Strategy
from sharding.planner.plan import ShardingPlan
from sharding.weights.task import Task
from specs.errors import RackError, ScheduleError
from specs.progress import report_progress

# A search also ends once it has cut so many strategies into stages, or has compiled so
# many trains, for each that it may evaluate to the cycle; so many trains take two
# seconds where a pipeline is full.
_PLANNED_FOR_EACH = 8
_TRAINS_FOR_EACH = 20_000
# Kinds of exchanges that are evaluated on links in a step; in later ones all are.
_EXACT = {SearchStep.COUNT_HOPS: 0, SearchStep.PLACE_MOST: 1}


@final
class BestFirstSearch:
    """Best-first search: the queue of strategies, and what is known of all others.

    Parameters
    ----------
    task
        The job.
    evaluator
        The bounds and plans of its strategies.
    objective, sequences
        What is sought, and the sequences in flight where not as many as fit.
    """

    def __init__(
        self,
        task: Task,
        evaluator: StrategyEvaluator,
        objective: Objective,
        sequences: int,
    ) -> None:
        self._task = task
        self._evaluator = evaluator
        self._objective = objective
        self._sequences = sequences
        self._costs = cost_model(objective, task, evaluator.topology)
        self._exact = ExactEvaluator(evaluator.topology, self._costs)
        self._queue: list[FrontierEntry] = []
        self._planned = 0
        self._refused: list[tuple[Strategy, str]] = []
        self._beaten: list[FrontierEntry] = []

    def run(self, most_compiled: int) -> SearchResult:
        """Return the best strategy after so many evaluated ones at most."""
        candidates, self._queue = initial_entries(
            self._evaluator, self._costs, self._sequences
        )
        heapq.heapify(self._queue)
        scored = len(self._queue)
        steps = {
            SearchStep.COUNT_HOPS: self._place,
            SearchStep.PLACE_MOST: self._place,
            SearchStep.PLACE: self._place,
            SearchStep.PLACE_HEAD_GROUPS: self._place,
            SearchStep.PLAN: self._plan,
            SearchStep.CRITICAL_PATH: self._bound_critical_path,
            SearchStep.TIME: self._time,
            SearchStep.COMPILE: self._compile,
        }
        exact, examined = self._exact, 0
        while entry := self._next(most_compiled):
            examined += 1
            report_progress(f"comparing {candidates:,} strategies", examined)
            if exact.best_cost is None or entry.cost < exact.best_cost:
                steps[entry.step](entry)
            else:
                self._beaten.append(entry)
        if exact.best is None or exact.best_cost is None:
            raise self._no_schedule(scored)
        best = exact.best_cost.first
        left = (*self._beaten, *self._queue)
        return SearchResult(
            objective=self._objective,
            schedule=exact.best,
            candidates=candidates,
            scored=scored,
            planned=self._planned,
            compiled=tuple(sorted(exact.compiled, key=lambda each: each.cost)),
            timed=exact.timed,
            refused=tuple(self._refused),
            bounded=tuple(sorted((each.cost, each.sequences) for each in left)),
            bound=min([best, *(entry.cost.first for entry in self._queue)]),
        )

    def _next(self, most_compiled: int) -> FrontierEntry | None:
        """Return the most promising entry, None once there is no need for another.

        Once enough have been evaluated, only what is needed to compile one.
        """
        enough = (
            self._exact.evaluated >= most_compiled
            or self._planned >= _PLANNED_FOR_EACH * most_compiled
            or self._exact.trains >= _TRAINS_FOR_EACH * most_compiled
        )
        if not enough:
            return heapq.heappop(self._queue) if self._queue else None
        if self._exact.best is not None or not self._queue:
            return None
        ready = [entry for entry in self._queue if entry.step >= SearchStep.TIME]
        if not ready:
            # None of those evaluated so far fits; one of the others may.
            return heapq.heappop(self._queue)
        entry = min(ready, key=lambda each: (-each.step, each))
        self._queue.remove(entry)
        heapq.heapify(self._queue)
        return entry

    def _bounded(
        self, bound: SplitBound, strategy: Strategy, sequences: int, *, step: SearchStep
    ) -> FrontierEntry:
        """Return the entry of a strategy with a bound, for its next step."""
        return bounded_entry(self._costs, bound, strategy, sequences, step=step)

    def _push(self, entry: FrontierEntry, before: FrontierEntry) -> None:
        """Queue an entry with a new bound, which never falls."""
        cost = max(entry.cost, before.cost)
        expected = max(cost.first, before.expected)
        heapq.heappush(self._queue, entry._replace(cost=cost, expected=expected))

    def _place(self, entry: FrontierEntry) -> None:
        """Bound exchanges in each group: by hops, on links, of KV-head groups too."""
        head_groups = entry.step is SearchStep.PLACE_HEAD_GROUPS
        placed = self._evaluator.placed_bound(
            entry.strategy, head_groups=head_groups, exact=_EXACT.get(entry.step)
        )
        if placed is None:
            reason = "takes more trains than memory holds"
            self._refused.append((entry.strategy, reason))
            return
        step = SearchStep(entry.step + 1)
        closer = self._bounded(placed, entry.strategy, entry.sequences, step=step)
        self._push(closer, entry)

    def _plan(self, entry: FrontierEntry) -> None:
        """Cut the stages, which shows how many sequences fit."""
        self._planned += 1
        strategy, fills = entry.strategy, self._objective.fills
        least = 1 if fills else entry.sequences
        try:
            plan = self._evaluator.fitting_plan(
                strategy, most=entry.sequences, least=least
            )
        except RackError as error:
            self._refused.append((strategy, str(error)))
            return
        if plan is None:
            return
        self._exact.add(plan)
        if not fills:
            self._bound_critical_path(entry)
            return
        closest = self._evaluator.closest_bound(strategy)
        most = plan.sequences
        self._push(
            self._bounded(closest, strategy, most, step=SearchStep.CRITICAL_PATH),
            entry,
        )
        if most > 1 and not self._evaluator.cut_freely(plan):
            # Fewer sequences leave memory to cut better.
            fewer = self._bounded(closest, strategy, most - 1, step=SearchStep.PLAN)
            heapq.heappush(self._queue, fewer)

    def _bound_critical_path(self, entry: FrontierEntry) -> None:
        """Bound the critical path of a plan."""
        strategy = entry.strategy
        plan = self._exact.plan(strategy, entry.sequences)
        try:
            latency = self._evaluator.least_latency(plan)
        except RackError as error:
            self._refused.append((strategy, str(error)))
            return
        alone = plan.sequences == strategy.data == 1
        cost = self._exact.cost(plan, latency)
        self._push(
            entry._replace(
                cost=cost, step=SearchStep.TIME if alone else SearchStep.COMPILE
            ),
            entry,
        )

    def _time(self, entry: FrontierEntry) -> None:
        """Time the token of a single sequence; a compiled one takes as long."""
        strategy = entry.strategy
        try:
            cost = self._exact.time(strategy, entry.sequences)
        except RackError as error:
            self._refused.append((strategy, str(error)))
            return
        self._push(entry._replace(cost=cost, step=SearchStep.COMPILE), entry)

    def _compile(self, entry: FrontierEntry) -> None:
        """Compile a plan, then queue it with a sequence fewer if that may pay."""
        strategy = entry.strategy
        try:
            plan, timed, cost = self._exact.compile(strategy, entry.sequences)
        except RackError as error:
            self._refused.append((strategy, str(error)))
            return
        several = self._objective.fills and plan.sequences > 1
        if several and self._evaluator.cut_freely(plan):
            self._with_fewer(entry._replace(expected=cost.first), plan, timed)

    def _with_fewer(
        self, entry: FrontierEntry, plan: ShardingPlan, timed: TimedToken
    ) -> None:
        """Queue a strategy with a sequence fewer, which is cut alike.

        Its tokens may follow each other without a wait. But few do, so that its cost is
        expected to be that with more sequences.
        """
        fewer = plan.sequences - 1
        again = self._evaluator.fitting_plan(entry.strategy, most=fewer, least=fewer)
        assert again is not None
        self._exact.add(again, timed)
        cost = self._exact.cost(again, self._evaluator.least_latency(again))
        expected = max(entry.expected, cost.first)
        step = (
            SearchStep.TIME if fewer == entry.strategy.data == 1 else SearchStep.COMPILE
        )
        heapq.heappush(self._queue, FrontierEntry(expected, cost, step, fewer))

    def _no_schedule(self, scored: int) -> RackError:
        """Return the error that says why no strategy has a schedule."""
        task, chips = self._task, len(self._evaluator.chips)
        if scored and self._refused:
            said = f"no strategy for {task.model.name} on {chips} chips has a schedule"
            return ScheduleError("{}; {}: {}".format(said, *self._refused[0]))
        least = 1 if self._objective.fills else self._sequences
        bound = self._evaluator.unplaced_bound(self._evaluator.splits[0])
        shape = machine_shape(self._evaluator.topology)
        return nothing_fits(bound, chips, least, shape)
