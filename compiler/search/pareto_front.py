"""Strategies that no other beats in latency, throughput and chips at once.

The queue is that of the search, but a strategy is dropped only if something compiled is
at least as good as its bound in all three respects. On more chips than can be looked at
in whole, the searches for latency and for throughput come first: what they know to the
cycle are the ends of the front.
"""

import heapq
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np

from compiler.compile_decode import compile_token, time_token
from compiler.search.branch_and_bound import best_strategy
from compiler.search.frontier import SearchStep
from compiler.search.objective import Objective
from compiler.search.search_space import machine_shape
from compiler.search.strategy_evaluator import StrategyEvaluator
from sharding.parallelism.strategy import Strategy
from sharding.planner.plan import ShardingPlan
from sharding.transformer.task import Task
from specs.errors import RackError
from topologies.topology import Topology

# Points to look at to the cycle beside the ends, and how many of them may be of
# sequences that meet on links: those take ten times as long to compile.
MOST_COMPILED = 80
_ONE_CROSSING_IN = 20


class Merits(NamedTuple):
    """What a point is judged by; less is better in each.

    Attributes
    ----------
    latency_cycles
        From a token to the next of the same sequence.
    share_cycles
        Cycles of the machine for each token: one over the throughput.
    chips
        Chips that are used.
    """

    latency_cycles: float
    share_cycles: float
    chips: int

    def covers(self, other: "Merits") -> bool:
        """Return whether this is at least as good in all respects."""
        return all(a <= b for a, b in zip(self, other, strict=True))


class ParetoPoint(NamedTuple):
    """A strategy known to the cycle, with its sequences in flight."""

    merits: Merits
    strategy: Strategy
    sequences: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ParetoFront:
    """What was found.

    Parameters
    ----------
    points
        Those that no other covers, the fastest first.
    known
        Points known to the cycle, on the front or not.
    open
        Points that none of these covers and that were not looked at any more, with
        bounds for merits: none is better than those in any respect.
    """

    points: tuple[ParetoPoint, ...]
    known: tuple[ParetoPoint, ...]
    open: tuple[ParetoPoint, ...]

    @property
    def gap(self) -> float:
        """Return by what part the front may be worse than the front there is.

        For each open point there is one on the front that is worse by no more than this
        in any respect: the multiplicative epsilon indicator [1]_ of the front against
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
        """Return the least of each merit that a point may have, each for itself."""
        every = [point.merits for point in (*self.points, *self.open)]
        latency, share, chips = (min(each) for each in zip(*every, strict=True))
        return Merits(latency, share, chips)


def uncovered(points: list[ParetoPoint]) -> list[ParetoPoint]:
    """Return the points that no other covers; of points alike the first in order."""
    front: list[ParetoPoint] = []
    for point in sorted(points):
        if not any(kept.merits.covers(point.merits) for kept in front):
            front.append(point)
    return front


def pareto_front(
    task: Task, topology: Topology, *, most_compiled: int = MOST_COMPILED
) -> ParetoFront:
    """Return the front over all splits, pipelines and sequences in flight.

    Parameters
    ----------
    task
        Model, machine, context and batch; its tensor width does not matter.
    topology
        The wiring, whose active chips are used from the first on.
    most_compiled
        Points to look at to the cycle at most, beside those of the two searches.
    """
    fronts = _Fronts(task, topology)
    if topology.active_chips > machine_shape(topology).few_chips:
        fronts.begin(task)
    return fronts.run(most_compiled)


class _Entry(NamedTuple):
    """A point in the queue; `merits` are bounds."""

    turn: int
    promise: float
    merits: Merits
    step: SearchStep
    strategy: Strategy
    sequences: int


@final
class _Fronts:
    """The queue, and what has come out of it."""

    def __init__(self, task: Task, topology: Topology) -> None:
        self._looks = StrategyEvaluator(task, topology)
        self._queue: list[_Entry] = []
        self._plans: dict[tuple[Strategy, int], ShardingPlan] = {}
        self._known: dict[tuple[Strategy, int], ParetoPoint] = {}
        self._front: list[ParetoPoint] = []
        self._crossing = 0
        self._looked_at = 0

    def begin(self, task: Task) -> None:
        """Take over what the searches for the ends of the front know to the cycle."""
        for objective in (Objective.LATENCY, Objective.THROUGHPUT):
            # The front of what nothing holds is empty.
            with suppress(RackError):
                found = best_strategy(
                    task, self._looks.topology, objective=objective, sequences=1
                )
                for each in found.known:
                    self._add(each.strategy, each.sequences, each.latency_cycles)

    def run(self, most_compiled: int) -> ParetoFront:
        """Return the front after so many more points."""
        self._fill()
        while self._queue and self._looked_at < most_compiled:
            if self._crossing * _ONE_CROSSING_IN >= most_compiled:
                break
            entry = heapq.heappop(self._queue)
            known = (entry.strategy, entry.sequences) in self._known
            if not known and not self._is_covered(entry.merits):
                self._look(entry)
        return ParetoFront(
            points=tuple(self._front),
            known=tuple(sorted(self._known.values())),
            open=tuple(sorted(self._open())),
        )

    def _is_covered(self, merits: Merits) -> bool:
        return any(point.merits.covers(merits) for point in self._front)

    def _open(self) -> Iterator[ParetoPoint]:
        """Yield what is left in the queue, with the bound of its links."""
        left = [
            entry
            for entry in self._queue
            if (entry.strategy, entry.sequences) not in self._known
            and not self._is_covered(entry.merits)
        ]
        # The bound of a split serves all shorter pipelines.
        left.sort(key=lambda entry: -entry.strategy.pipeline)
        for entry in left:
            strategy, sequences, merits = entry.strategy, entry.sequences, entry.merits
            if entry.step is SearchStep.PLACE:
                placed = self._looks.placed(strategy, teams=True)
                if placed is None:
                    continue
                cycles = placed.token_cycles(strategy.pipeline)
                merits = Merits(cycles, cycles / sequences, strategy.chips)
            if not self._is_covered(merits):
                yield ParetoPoint(merits, strategy, sequences)

    def _fill(self) -> None:
        """Queue every strategy alone, and with as many sequences as may fit."""
        for split in self._looks.splits:
            bound = self._looks.anywhere(split)
            for strategy in self._looks.pipelines(split):
                stages = strategy.pipeline
                most = min(stages, bound.most_sequences(stages))
                for sequences in sorted({min(1, most), most} - {0}):
                    cycles = bound.token_cycles(stages)
                    self._push(strategy, sequences, cycles, SearchStep.PLACE)

    def _push(
        self, strategy: Strategy, sequences: int, latency: int, step: SearchStep
    ) -> None:
        merits = Merits(latency, latency / sequences, strategy.chips)
        turn = 0
        if sequences > 1:
            turn = 1 + self._looks.crosses_nodes(strategy)
        promise = merits.latency_cycles * merits.share_cycles * merits.chips
        entry = _Entry(turn, promise, merits, step, strategy, sequences)
        heapq.heappush(self._queue, entry)

    def _look(self, entry: _Entry) -> None:
        """Find out more of an entry, or all."""
        strategy, sequences = entry.strategy, entry.sequences
        try:
            if entry.step is SearchStep.PLACE:
                placed = self._looks.placed(strategy, teams=True)
                if placed is not None:
                    cycles = placed.token_cycles(strategy.pipeline)
                    self._push(strategy, sequences, cycles, SearchStep.PLAN)
            elif entry.step is SearchStep.PLAN:
                self._plan(strategy, sequences)
            elif sequences == 1:
                self._time(strategy)
            else:
                self._compile(strategy, sequences, crosses=entry.turn > 1)
        except RackError:
            return

    def _plan(self, strategy: Strategy, most: int) -> None:
        least = min(2, most)
        plan = self._looks.fitting(strategy, most=most, least=least)
        if plan is None:
            return
        latency = self._looks.least_latency(plan)
        self._plans[strategy, plan.sequences] = plan
        self._push(strategy, plan.sequences, latency, SearchStep.COMPILE)

    def _time(self, strategy: Strategy) -> None:
        timed = time_token(self._plans.pop((strategy, 1)), self._looks.topology)
        self._looked_at += 1
        self._add(strategy, 1, timed.timeline.token_cycles)

    def _compile(self, strategy: Strategy, sequences: int, *, crosses: bool) -> None:
        self._crossing += crosses
        plan = self._plans.pop((strategy, sequences))
        topology = self._looks.topology
        few = topology.active_chips <= machine_shape(topology).few_chips
        schedule = compile_token(plan, topology, patient=few)
        self._looked_at += 1
        self._add(strategy, sequences, schedule.latency_cycles)
        token = schedule.timeline.token_cycles
        interval = schedule.program.interval_cycles
        # From a token's length on more sequences only wait; one less than that many
        # do not wait at all.
        for fewer in (-(-token // interval), token // interval):
            if 1 < fewer < sequences:
                self._push(strategy, fewer, token, SearchStep.PLAN)
                return

    def _add(self, strategy: Strategy, sequences: int, latency: int) -> None:
        share = latency / (sequences * strategy.data)
        point = ParetoPoint(Merits(latency, share, strategy.chips), strategy, sequences)
        self._known[strategy, sequences] = point
        self._front = uncovered([*self._front, point])
