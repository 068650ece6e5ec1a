"""The best strategy for a number of chips: best first, exact unless cut short.

Every strategy starts with a bound of a few additions. The most promising one is looked
at more closely, step by step: where its exchanges would take place, how its stages
would be cut, how long its token takes to the cycle, and at last by compiling it. What
cannot beat the best compiled strategy even at its bound is dropped, until none is left.
"""

import heapq
from collections.abc import Collection
from typing import final

from compiler.bounds.strategy_bound import SplitBound
from compiler.compile_decode import TimedToken, compile_token, time_token
from compiler.ir.schedule import Schedule
from compiler.search.frontier import (
    FrontierEntry,
    SearchStep,
    bounded_entry,
    every_entry,
)
from compiler.search.objective import Cost, Objective, cost_of
from compiler.search.search_result import Evaluated, SearchResult, nothing_fits
from compiler.search.search_space import machine_shape
from compiler.search.strategy_evaluator import StrategyEvaluator
from sharding.parallelism.strategy import Strategy
from sharding.planner.plan import ShardingPlan
from sharding.transformer.task import Task
from specs.errors import RackError, ScheduleError
from topologies.topology import Topology

# Beyond so many strategies known to the cycle the search ends and says how far off it
# may be.
MOST_COMPILED = 40
# As does a search that has cut so many times as many into stages, or has compiled so
# many trains for each: two seconds for a pipeline that is full.
_PLANNED_FOR_EACH = 8
_TRAINS_FOR_EACH = 20_000


def best_strategy(
    task: Task,
    topology: Topology,
    *,
    objective: Objective,
    sequences: int,
    most_compiled: int = MOST_COMPILED,
    widths: Collection[int] | None = None,
) -> SearchResult:
    """Return the best strategy of all splits and pipelines on a machine's chips.

    Parameters
    ----------
    task
        Model, machine, context and batch; its tensor width does not matter.
    topology
        The wiring, whose active chips are used from the first on.
    objective
        What is sought.
    sequences
        Sequences in flight. For throughput and energy as many are taken as fit and
        pay. For throughput there are replicas too; each takes the latency, the chips
        and the energy of one, so that nothing else needs them.
    most_compiled
        Strategies to look at to the cycle at most.
    widths
        Tensor widths to look at, those of `space.widths` if None.

    Raises
    ------
    RackError
        If no strategy fits, or none that fits has a schedule.
    """
    # Where sequences fill pipelines, splits that share a layer in other ways cost much
    # the same, and telling all of them apart would take minutes.
    plain = (
        objective.fills and topology.active_chips > machine_shape(topology).few_chips
    )
    looks = StrategyEvaluator(task, topology, widths, plain=plain)
    return _Search(task, looks, objective, sequences).run(most_compiled)


@final
class _Search:
    """A queue of strategies and what was found out about them."""

    def __init__(
        self, task: Task, looks: StrategyEvaluator, objective: Objective, sequences: int
    ) -> None:
        self._task = task
        self._looks = looks
        self._objective = objective
        self._sequences = sequences
        self._queue: list[FrontierEntry] = []
        self._plans: dict[tuple[Strategy, int], ShardingPlan] = {}
        self._tokens: dict[tuple[Strategy, int], TimedToken] = {}
        self._planned = 0
        self._trains = 0
        self._best: Schedule | None = None
        self._best_cost: Cost | None = None
        self._compiled: list[Evaluated] = []
        self._timed: dict[tuple[Strategy, int], Evaluated] = {}
        self._refused: list[tuple[Strategy, str]] = []
        self._beaten: list[FrontierEntry] = []

    def run(self, most_compiled: int) -> SearchResult:
        """Return what is best."""
        candidates, self._queue = every_entry(
            self._looks, self._objective, self._sequences
        )
        heapq.heapify(self._queue)
        scored = len(self._queue)
        steps = {
            SearchStep.PLACE: self._place,
            SearchStep.PLACE_TEAMS: self._place,
            SearchStep.PLAN: self._plan,
            SearchStep.CHAIN: self._chain,
            SearchStep.TIME: self._time,
            SearchStep.COMPILE: self._compile,
        }
        while entry := self._next(most_compiled):
            if self._best_cost is None or entry.cost < self._best_cost:
                steps[entry.step](entry)
            else:
                self._beaten.append(entry)
        if self._best is None or self._best_cost is None:
            raise self._nothing_found(scored)
        self._compiled.sort(key=lambda each: each.cost)
        best = self._best_cost.first
        left = (*self._beaten, *self._queue)
        return SearchResult(
            objective=self._objective,
            schedule=self._best,
            candidates=candidates,
            scored=scored,
            planned=self._planned,
            compiled=tuple(self._compiled),
            timed=tuple(sorted(self._timed.values(), key=lambda each: each.cost)),
            refused=tuple(self._refused),
            bounded=tuple(sorted((each.cost, each.sequences) for each in left)),
            bound=min([best, *(entry.cost.first for entry in self._queue)]),
        )

    def _next(self, most_compiled: int) -> FrontierEntry | None:
        """Return the most promising entry, None once there is no need for another.

        Once enough have been looked at, only what is needed to compile one.
        """
        exact = len(self._compiled) + len(self._timed)
        enough = (
            exact >= most_compiled
            or self._planned >= _PLANNED_FOR_EACH * most_compiled
            or self._trains >= _TRAINS_FOR_EACH * most_compiled
        )
        if not enough:
            return heapq.heappop(self._queue) if self._queue else None
        ready = [entry for entry in self._queue if entry.step >= SearchStep.TIME]
        if self._best is not None or not ready:
            return None
        entry = min(ready, key=lambda each: (-each.step, each))
        self._queue.remove(entry)
        heapq.heapify(self._queue)
        return entry

    def _bounded(
        self, bound: SplitBound, strategy: Strategy, sequences: int, *, step: SearchStep
    ) -> FrontierEntry:
        return bounded_entry(self._objective, bound, strategy, sequences, step=step)

    def _push(self, entry: FrontierEntry, before: FrontierEntry) -> None:
        """Queue what is known better now; a bound never falls."""
        cost = max(entry.cost, before.cost)
        expected = max(cost.first, before.expected)
        heapq.heappush(self._queue, entry._replace(cost=cost, expected=expected))

    def _place(self, entry: FrontierEntry) -> None:
        """Look at the links between the chips of each group, then of each team."""
        teams = entry.step is SearchStep.PLACE_TEAMS
        placed = self._looks.placed(entry.strategy, teams=teams)
        if placed is None:
            reason = "takes more trains than memory holds"
            self._refused.append((entry.strategy, reason))
            return
        step = SearchStep(entry.step + 1)
        closer = self._bounded(placed, entry.strategy, entry.sequences, step=step)
        self._push(closer, entry)

    def _plan(self, entry: FrontierEntry) -> None:
        """Cut the stages, which tells how many sequences fit."""
        self._planned += 1
        strategy, fills = entry.strategy, self._objective.fills
        least = 1 if fills else entry.sequences
        try:
            plan = self._looks.fitting(strategy, most=entry.sequences, least=least)
        except RackError as error:
            self._refused.append((strategy, str(error)))
            return
        if plan is None:
            return
        self._plans[strategy, plan.sequences] = plan
        if not fills:
            self._chain(entry)
            return
        known = self._looks.closest(strategy)
        at_most = plan.sequences
        self._push(
            self._bounded(known, strategy, at_most, step=SearchStep.CHAIN), entry
        )
        if at_most > 1 and not self._looks.cut_freely(plan):
            # Fewer sequences leave memory to cut better.
            fewer = self._bounded(known, strategy, at_most - 1, step=SearchStep.PLAN)
            heapq.heappush(self._queue, fewer)

    def _chain(self, entry: FrontierEntry) -> None:
        """Add up what each thing takes at least, one after the other."""
        strategy = entry.strategy
        plan = self._plans[strategy, entry.sequences]
        try:
            latency = self._looks.least_latency(plan)
        except RackError as error:
            self._refused.append((strategy, str(error)))
            return
        alone = plan.sequences == strategy.data == 1
        cost = self._ranked(plan, latency)
        self._push(
            entry._replace(
                cost=cost, step=SearchStep.TIME if alone else SearchStep.COMPILE
            ),
            entry,
        )

    def _ranked(self, plan: ShardingPlan, latency: int) -> Cost:
        """Return the rank of a plan from a token to the next of the same sequence."""
        share = latency / (plan.sequences * plan.strategy.data)
        return cost_of(self._objective, plan.strategy, latency, share)

    def _time(self, entry: FrontierEntry) -> None:
        """Put all of a single sequence at its cycle; compiling keeps it there."""
        strategy = entry.strategy
        key = strategy, entry.sequences
        try:
            timed = time_token(self._plans[key], self._looks.topology)
        except RackError as error:
            self._refused.append((strategy, str(error)))
            return
        latency = timed.timeline.token_cycles
        cost = cost_of(self._objective, strategy, latency, latency)
        stage_cycles = timed.timeline.stage_cycles
        self._tokens[key] = timed
        self._timed[key] = Evaluated(
            strategy, 1, cost, latency, max(stage_cycles), stage_cycles
        )
        self._push(entry._replace(cost=cost, step=SearchStep.COMPILE), entry)

    def _compile(self, entry: FrontierEntry) -> None:
        """Compile; what is compiled is known for certain."""
        strategy = entry.strategy
        key = strategy, entry.sequences
        plan = self._plans.pop(key)
        self._timed.pop(key, None)
        topology = self._looks.topology
        few = topology.active_chips <= machine_shape(topology).few_chips
        try:
            timed = self._tokens.pop(key, None) or time_token(plan, topology)
            self._trains += timed.timeline.trains * strategy.data
            schedule = compile_token(plan, topology, timed=timed, patient=few)
        except RackError as error:
            self._refused.append((strategy, str(error)))
            return
        latency = schedule.latency_cycles
        cost = self._ranked(plan, latency)
        if self._best_cost is None or cost < self._best_cost:
            self._best, self._best_cost = schedule, cost
        stage_cycles = schedule.timeline.stage_cycles
        pace = schedule.program.interval_cycles or max(stage_cycles)
        self._compiled.append(
            Evaluated(strategy, plan.sequences, cost, latency, pace, stage_cycles)
        )
        several = self._objective.fills and plan.sequences > 1
        if several and self._looks.cut_freely(plan):
            self._with_fewer(entry._replace(expected=cost.first), plan, timed)

    def _with_fewer(
        self, entry: FrontierEntry, plan: ShardingPlan, timed: TimedToken
    ) -> None:
        """Queue a strategy with a sequence fewer, which is cut alike.

        Its token may go round without a wait. But few tokens do, so that it is expected
        to take what it takes with more.
        """
        fewer = plan.sequences - 1
        again = self._looks.fitting(entry.strategy, most=fewer, least=fewer)
        assert again is not None
        key = entry.strategy, fewer
        self._plans[key], self._tokens[key] = again, timed
        cost = self._ranked(again, self._looks.least_latency(again))
        expected = max(entry.expected, cost.first)
        step = (
            SearchStep.TIME if fewer == entry.strategy.data == 1 else SearchStep.COMPILE
        )
        heapq.heappush(self._queue, FrontierEntry(expected, cost, step, fewer))

    def _nothing_found(self, scored: int) -> RackError:
        """Return the error that says what the chips lack."""
        task, chips = self._task, len(self._looks.chips)
        if scored and self._refused:
            said = f"no strategy for {task.model.name} on {chips} chips has a schedule"
            return ScheduleError("{}; {}: {}".format(said, *self._refused[0]))
        least = 1 if self._objective.fills else self._sequences
        bound = self._looks.anywhere(self._looks.splits[0])
        return nothing_fits(bound, chips, least)
