"""The best strategy for a number of chips: best first, exact unless cut short.

Every strategy starts with a bound of a few additions. The most promising one is looked
at more closely, step by step: where its exchanges would take place, how its stages
would be cut, how long its token takes to the cycle, and at last by compiling it. What
cannot beat the best compiled strategy even at its bound is dropped, until none is left.
"""

import heapq
from collections.abc import Collection
from typing import final

from compiler.entry import Entry, Step
from compiler.found import Cost, Evaluated, Found, Objective, nothing_fits, ranked
from compiler.looks import Looks
from compiler.schedule import Schedule
from compiler.space import FEW_CHIPS
from compiler.strategy_bound import WidthBound
from compiler.token import TimedToken, compile_token, time_token
from sharding.plan import ShardingPlan
from sharding.strategy import Strategy
from sharding.task import Task
from specs.errors import RackError, ScheduleError
from topologies.topology import Topology

# Beyond so many strategies known to the cycle the search ends and says how far off it
# may be.
MOST_COMPILED = 40
# As does a search that has cut so many times as many into stages, or has come to the
# strategies whose sequences meet on links and tried one in so many of them: they take
# ten times as long to compile, and seldom pay.
_PLANNED_FOR_EACH = 8
_ONE_CROSSING_IN = 10


def best_strategy(
    task: Task,
    topology: Topology,
    *,
    objective: Objective,
    sequences: int,
    most_compiled: int = MOST_COMPILED,
    widths: Collection[int] | None = None,
) -> Found:
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
        pay.
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
    plain = objective.fills and topology.active_chips > FEW_CHIPS
    looks = Looks(task, topology, widths, plain=plain)
    return _Search(task, looks, objective, sequences).run(most_compiled)


@final
class _Search:
    """A queue of strategies and what was found out about them."""

    def __init__(
        self, task: Task, looks: Looks, objective: Objective, sequences: int
    ) -> None:
        self._task = task
        self._looks = looks
        self._objective = objective
        self._sequences = sequences
        self._queue: list[Entry] = []
        self._plans: dict[tuple[Strategy, int], ShardingPlan] = {}
        self._tokens: dict[tuple[Strategy, int], TimedToken] = {}
        self._planned = 0
        self._crossing = 0
        self._best: Schedule | None = None
        self._best_cost: Cost | None = None
        self._compiled: list[Evaluated] = []
        self._timed: dict[tuple[Strategy, int], Evaluated] = {}
        self._refused: list[tuple[Strategy, str]] = []
        self._beaten: list[Entry] = []

    def run(self, most_compiled: int) -> Found:
        """Return what is best."""
        candidates = self._fill()
        scored = len(self._queue)
        steps = {
            Step.PLACE: self._place,
            Step.PLACE_TEAMS: self._place,
            Step.PLAN: self._plan,
            Step.TIME: self._time,
            Step.COMPILE: self._compile,
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
        return Found(
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

    def _fill(self) -> int:
        """Queue every strategy that memory may hold; return how many there are."""
        least = 1 if self._objective.fills else self._sequences
        # What fits on few chips is a matter of memory: links only matter where it does.
        fewest = self._objective is Objective.CHIPS
        step = Step.PLAN if fewest else Step.PLACE
        candidates = 0
        for split in self._looks.splits:
            bound = self._looks.anywhere(split)
            strategies = self._looks.pipelines(split)
            candidates += len(strategies)
            for strategy in strategies:
                stages = strategy.pipeline
                most = bound.most_sequences(stages)
                if most < least:
                    continue
                # As many tokens as there are stages are at work at once, and no more.
                sequences = min(stages, most) if self._objective.fills else least
                entry = self._entry(bound, strategy, sequences, step=step)
                self._queue.append(entry)
        heapq.heapify(self._queue)
        return candidates

    def _entry(
        self, bound: WidthBound, strategy: Strategy, sequences: int, *, step: Step
    ) -> Entry:
        cycles = bound.token_cycles(strategy.pipeline)
        cost = ranked(self._objective, strategy, cycles, cycles / sequences)
        crosses = sequences > 1 and self._looks.crosses_nodes(strategy)
        return Entry(crosses, cost.first, cost, step, sequences)

    def _next(self, most_compiled: int) -> Entry | None:
        """Return the most promising entry, None once there is no need for another.

        Once enough have been looked at, only what is needed to compile one.
        """
        exact = len(self._compiled) + len(self._timed)
        enough = (
            exact >= most_compiled
            or self._planned >= _PLANNED_FOR_EACH * most_compiled
            or self._crossing * _ONE_CROSSING_IN >= most_compiled
        )
        if not enough:
            return heapq.heappop(self._queue) if self._queue else None
        ready = [entry for entry in self._queue if entry.step >= Step.TIME]
        if self._best is not None or not ready:
            return None
        entry = min(ready, key=lambda each: (-each.step, each))
        self._queue.remove(entry)
        heapq.heapify(self._queue)
        return entry

    def _push(self, entry: Entry, before: Entry) -> None:
        """Queue what is known better now; a bound never falls."""
        cost = max(entry.cost, before.cost)
        expected = max(cost.first, before.expected)
        heapq.heappush(self._queue, entry._replace(cost=cost, expected=expected))

    def _place(self, entry: Entry) -> None:
        """Look at the links between the chips of each group, then of each team."""
        teams = entry.step is Step.PLACE_TEAMS
        placed = self._looks.placed(entry.strategy, teams=teams)
        if placed is None:
            reason = "takes more trains than memory holds"
            self._refused.append((entry.strategy, reason))
            return
        step = Step(entry.step + 1)
        closer = self._entry(placed, entry.strategy, entry.sequences, step=step)
        self._push(closer, entry)

    def _plan(self, entry: Entry) -> None:
        """Cut the stages."""
        self._planned += 1
        strategy, fills = entry.strategy, self._objective.fills
        least = 1 if fills else entry.sequences
        try:
            plan = self._looks.fitting(strategy, most=entry.sequences, least=least)
            if plan is None:
                return
            # Where sequences meet on links, no bound of a chain comes near, and few
            # plans are compiled: the bound without stages, which is second, will do.
            meets = fills and entry.crosses
            latency = entry.cost.second if meets else self._looks.least_latency(plan)
        except RackError as error:
            self._refused.append((strategy, str(error)))
            return
        self._plans[strategy, plan.sequences] = plan
        share = latency / plan.sequences
        closer = entry._replace(
            cost=ranked(self._objective, strategy, latency, share),
            step=Step.TIME if plan.sequences == 1 else Step.COMPILE,
            sequences=plan.sequences,
        )
        self._push(closer, entry)

    def _time(self, entry: Entry) -> None:
        """Put all of a single sequence at its cycle; compiling keeps it there."""
        strategy = entry.strategy
        key = strategy, entry.sequences
        try:
            timed = time_token(self._plans[key], self._looks.topology)
        except RackError as error:
            self._refused.append((strategy, str(error)))
            return
        latency = timed.timeline.token_cycles
        cost = ranked(self._objective, strategy, latency, latency)
        stage_cycles = timed.timeline.stage_cycles
        self._tokens[key] = timed
        self._timed[key] = Evaluated(
            strategy, 1, cost, latency, max(stage_cycles), stage_cycles
        )
        self._push(entry._replace(cost=cost, step=Step.COMPILE), entry)

    def _compile(self, entry: Entry) -> None:
        """Compile; what is compiled is known for certain."""
        strategy = entry.strategy
        key = strategy, entry.sequences
        plan = self._plans.pop(key)
        self._timed.pop(key, None)
        try:
            timed = self._tokens.pop(key, None)
            schedule = compile_token(plan, self._looks.topology, timed=timed)
        except RackError as error:
            self._refused.append((strategy, str(error)))
            return
        self._crossing += entry.crosses
        latency = schedule.latency_cycles
        cost = ranked(self._objective, strategy, latency, latency / plan.sequences)
        if self._best_cost is None or cost < self._best_cost:
            self._best, self._best_cost = schedule, cost
        stage_cycles = schedule.timeline.stage_cycles
        pace = schedule.program.interval_cycles or max(stage_cycles)
        self._compiled.append(
            Evaluated(strategy, plan.sequences, cost, latency, pace, stage_cycles)
        )
        if self._objective.fills and plan.sequences > 1:
            self._with_fewer_sequences(entry, cost, schedule)

    def _with_fewer_sequences(
        self, entry: Entry, cost: Cost, schedule: Schedule
    ) -> None:
        """Queue a strategy with as many sequences fewer as may be better."""
        fewer = entry.sequences - 1
        # From a token's length on, all sequences follow each other at the same pace.
        pays = -(-schedule.timeline.token_cycles // schedule.program.interval_cycles)
        if pays < fewer:
            plan = self._looks.fitting(entry.strategy, most=pays, least=pays)
            same = plan is not None and all(
                one.blocks == other.blocks
                for one, other in zip(plan.stages, schedule.plan.stages, strict=True)
            )
            fewer = pays if same else fewer
        placed = self._looks.placed(entry.strategy, teams=True)
        assert placed is not None
        bound = self._entry(placed, entry.strategy, fewer, step=Step.PLAN)
        expected = max(cost.first, bound.expected)
        heapq.heappush(self._queue, bound._replace(expected=expected))

    def _nothing_found(self, scored: int) -> RackError:
        """Return the error that says what the chips lack."""
        task, chips = self._task, len(self._looks.chips)
        if scored and self._refused:
            said = f"no strategy for {task.model.name} on {chips} chips has a schedule"
            return ScheduleError("{}; {}: {}".format(said, *self._refused[0]))
        least = 1 if self._objective.fills else self._sequences
        bound = self._looks.anywhere(self._looks.splits[0])
        return nothing_fits(bound, chips, least)
