"""Pareto front: strategies that no other dominates in latency, throughput and chips.

The search is best first, but a strategy is dropped only if an evaluated one is at least
as good as its bound in all three merits. On more chips than can be evaluated in full,
the searches for latency and for throughput come first: their evaluated strategies are
the ends of the front.
"""

import heapq
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np

from compiler.compile_decode import compile_token, time_token
from compiler.search.branch_and_bound import best_strategy
from compiler.search.dominance import Merits, ParetoPoint, non_dominated
from compiler.search.frontier import SearchStep
from compiler.search.objective import Objective
from compiler.search.search_space import machine_shape
from compiler.search.strategy_evaluator import shared_evaluator
from sharding.parallelism.strategy import Strategy
from sharding.planner.plan import ShardingPlan
from sharding.weights.task import Task
from specs.errors import RackError
from specs.progress import report_progress
from topologies.topology import Topology

# Points to evaluate to the cycle beside the ends. One in twenty may be of sequences
# that meet on links: those take ten times as long to compile.
MOST_COMPILED = 80
_ONE_CROSSING_IN = 20


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ParetoFront:
    """Pareto front with its approximation error.

    Parameters
    ----------
    points
        Those that no other dominates, the fastest first.
    known
        Points that were evaluated to the cycle, on the front or not.
    open
        Points that none of these dominates and that were not evaluated any more; their
        merits are lower bounds.
    """

    points: tuple[ParetoPoint, ...]
    known: tuple[ParetoPoint, ...]
    open: tuple[ParetoPoint, ...]

    @property
    def gap(self) -> float:
        """Return the relative gap between the front and the bounds of open points.

        For each open point there is one on the front that is worse by no more than this
        in any merit: the multiplicative epsilon indicator [1]_ of the front against
        the bounds; 0 if nothing is open.

        References
        ----------
        .. [1] E. Zitzler, L. Thiele, M. Laumanns, C. M. Fonseca and V. Grunert da
           Fonseca, "Performance Assessment of Multiobjective Optimizers: An Analysis
           and Review," IEEE Transactions on Evolutionary Computation 7(2), 2003.
        """
        front = np.array([point.merits for point in self.points], dtype=float)
        return max(
            (float((front / each.merits).max(axis=1).min()) - 1 for each in self.open),
            default=0.0,
        )

    @property
    def reach(self) -> Merits:
        """Return the ideal point: the least of each merit over points and bounds."""
        every = [point.merits for point in (*self.points, *self.open)]
        latency, share, chips = (min(each) for each in zip(*every, strict=True))
        return Merits(latency, share, chips)


def pareto_front(
    task: Task, topology: Topology, *, most_compiled: int = MOST_COMPILED
) -> ParetoFront:
    """Search all splits, pipelines and sequences in flight for the Pareto front.

    Parameters
    ----------
    task
        Model, machine, context and batch; its tensor width does not matter.
    topology
        The topology, whose active chips are used from the first on.
    most_compiled
        Points to evaluate to the cycle at most, beside those of the two searches.
    """
    search = _ParetoSearch(task, topology)
    if topology.active_chips > machine_shape(topology).few_chips:
        search.begin(task)
    return search.run(most_compiled)


class _ParetoEntry(NamedTuple):
    """Queued point; `merits` are lower bounds, and `volume` is their product."""

    priority: int
    volume: float
    merits: Merits
    step: SearchStep
    strategy: Strategy
    sequences: int


@final
class _ParetoSearch:
    """Best-first search for the front: the queue, and the points evaluated so far."""

    def __init__(self, task: Task, topology: Topology) -> None:
        self._evaluator = shared_evaluator(task, topology)
        self._queue: list[_ParetoEntry] = []
        self._plans: dict[tuple[Strategy, int], ShardingPlan] = {}
        self._known: dict[tuple[Strategy, int], ParetoPoint] = {}
        self._front: list[ParetoPoint] = []
        self._crossing = 0
        self._evaluated = 0

    def begin(self, task: Task) -> None:
        """Add the strategies that the searches for the ends of the front evaluate."""
        for objective in (Objective.LATENCY, Objective.THROUGHPUT):
            # If no strategy fits, the front is empty.
            with suppress(RackError):
                result = best_strategy(
                    task, self._evaluator.topology, objective=objective, sequences=1
                )
                for each in result.known:
                    self._add(each.strategy, each.sequences, each.latency_cycles)

    def run(self, most_compiled: int) -> ParetoFront:
        """Return the front after the evaluation of so many points at most."""
        self._fill()
        while self._queue and self._evaluated < most_compiled:
            if self._crossing * _ONE_CROSSING_IN >= most_compiled:
                break
            report_progress("timing points", self._evaluated, most_compiled)
            entry = heapq.heappop(self._queue)
            known = (entry.strategy, entry.sequences) in self._known
            if not known and not self._is_dominated(entry.merits):
                self._advance(entry)
        return ParetoFront(
            points=tuple(self._front),
            known=tuple(sorted(self._known.values())),
            open=tuple(sorted(self._open())),
        )

    def _is_dominated(self, merits: Merits) -> bool:
        """Return whether a point of the front is at least as good as these merits."""
        return any(point.merits.dominates(merits) for point in self._front)

    def _open(self) -> Iterator[ParetoPoint]:
        """Yield the points left in the queue that may be on the front, with bounds."""
        left = [
            entry
            for entry in self._queue
            if (entry.strategy, entry.sequences) not in self._known
            and not self._is_dominated(entry.merits)
        ]
        # The bound of a split serves all shorter pipelines.
        left.sort(key=lambda entry: -entry.strategy.pipeline)
        for entry in left:
            strategy, sequences, merits = entry.strategy, entry.sequences, entry.merits
            if entry.step is SearchStep.COUNT_HOPS:
                placed = self._evaluator.placed_bound(strategy, head_groups=True)
                if placed is None:
                    continue
                cycles = placed.token_cycles(strategy.pipeline)
                merits = Merits(cycles, cycles / sequences, strategy.chips)
            if not self._is_dominated(merits):
                yield ParetoPoint(merits, strategy, sequences)

    def _fill(self) -> None:
        """Queue every strategy alone, and with as many sequences as may fit."""
        for split in self._evaluator.splits:
            bound = self._evaluator.unplaced_bound(split)
            for strategy in self._evaluator.pipelines(split):
                stages = strategy.pipeline
                most = min(stages, bound.most_sequences(stages))
                for sequences in sorted({min(1, most), most} - {0}):
                    cycles = bound.token_cycles(stages)
                    self._push(strategy, sequences, cycles, SearchStep.COUNT_HOPS)

    def _push(
        self, strategy: Strategy, sequences: int, latency: int, step: SearchStep
    ) -> None:
        """Queue a strategy with a lower bound of its latency."""
        merits = Merits(latency, latency / sequences, strategy.chips)
        priority = 0
        if sequences > 1:
            priority = 1 + self._evaluator.crosses_nodes(strategy)
        volume = merits.latency_cycles * merits.share_cycles * merits.chips
        entry = _ParetoEntry(priority, volume, merits, step, strategy, sequences)
        heapq.heappush(self._queue, entry)

    def _advance(self, entry: _ParetoEntry) -> None:
        """Take an entry one step further."""
        strategy, sequences = entry.strategy, entry.sequences
        try:
            if entry.step is SearchStep.COUNT_HOPS:
                placed = self._evaluator.placed_bound(strategy, head_groups=True)
                if placed is not None:
                    cycles = placed.token_cycles(strategy.pipeline)
                    self._push(strategy, sequences, cycles, SearchStep.PLAN)
            elif entry.step is SearchStep.PLAN:
                self._plan(strategy, sequences)
            elif sequences == 1:
                self._time(strategy)
            else:
                self._compile(strategy, sequences, crosses=entry.priority > 1)
        except RackError:
            return

    def _plan(self, strategy: Strategy, most: int) -> None:
        """Cut the stages, which shows how many sequences fit."""
        least = min(2, most)
        plan = self._evaluator.fitting_plan(strategy, most=most, least=least)
        if plan is None:
            return
        latency = self._evaluator.least_latency(plan)
        self._plans[strategy, plan.sequences] = plan
        self._push(strategy, plan.sequences, latency, SearchStep.COMPILE)

    def _time(self, strategy: Strategy) -> None:
        """Time the token of a single sequence."""
        timed = time_token(self._plans.pop((strategy, 1)), self._evaluator.topology)
        self._evaluated += 1
        self._add(strategy, 1, timed.timeline.token_cycles)

    def _compile(self, strategy: Strategy, sequences: int, *, crosses: bool) -> None:
        """Compile several sequences, then queue fewer that may do as well."""
        self._crossing += crosses
        plan = self._plans.pop((strategy, sequences))
        topology = self._evaluator.topology
        few = topology.active_chips <= machine_shape(topology).few_chips
        schedule = compile_token(plan, topology, patient=few)
        self._evaluated += 1
        self._add(strategy, sequences, schedule.latency_cycles)
        token = schedule.timeline.token_cycles
        interval = schedule.program.interval_cycles
        # More sequences than fill a token only wait; one fewer do not wait at all.
        for fewer in (-(-token // interval), token // interval):
            if 1 < fewer < sequences:
                self._push(strategy, fewer, token, SearchStep.PLAN)
                return

    def _add(self, strategy: Strategy, sequences: int, latency: int) -> None:
        """Add an evaluated point."""
        share = latency / (sequences * strategy.data)
        point = ParetoPoint(Merits(latency, share, strategy.chips), strategy, sequences)
        self._known[strategy, sequences] = point
        self._front = non_dominated([*self._front, point])
