"""Ranking: the strategies that follow the best of a search, with their costs.

A search ends as soon as nothing can beat the best, and leaves most strategies at a
bound. The ranking evaluates the most promising of them more closely, in a funnel: many
by the links that they would use, some cut into stages, a few timed to the cycle.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple, final

from compiler.compile_decode import TimedToken, time_token
from compiler.search.exact_evaluator import emitted_token
from compiler.search.objective import Cost, CostModel, Objective, cost_model
from compiler.search.search_result import Evaluated, SearchResult
from compiler.search.strategy_evaluator import StrategyEvaluator, shared_evaluator
from sharding.parallelism.strategy import Strategy
from sharding.planner.plan import ShardingPlan
from specs.errors import RackError
from topologies.topology import Topology

# Splits to bound on their links, strategies to try to cut into stages, those that fit
# to bound, and to time. On 288 to 576 chips each step takes two to five seconds.
_MOST_PLACED = 50
_MOST_TRIED = 150
_MOST_PLANNED = 30
_MOST_TIMED = 12


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """Ranked strategy, the best or one after it.

    Parameters
    ----------
    strategy, sequences
        What is ranked, with its sequences in flight.
    cost
        Its cost.
    latency_cycles
        From a token to the next of the same sequence.
    exact
        Whether it is known to the cycle; else cost and latency are lower bounds, as
        several sequences in flight would have to be compiled.
    """

    strategy: Strategy
    sequences: int
    cost: Cost
    latency_cycles: int
    exact: bool

    @property
    def share_cycles(self) -> float:
        """Return the machine cycles for each token, over all sequences."""
        return self.latency_cycles / (self.sequences * self.strategy.data)


class Ranking(NamedTuple):
    """Ranking of the strategies of a search.

    Attributes
    ----------
    best
        The best strategies, in order.
    others_cost
        What every other strategy costs at least; None if there is no other that fits.
    """

    best: tuple[Ranked, ...]
    others_cost: float | None


def ranking(result: SearchResult, *, most: int) -> Ranking:
    """Return the best strategies of a search, each once.

    Parameters
    ----------
    result
        The result of the search.
    most
        Strategies to return; fewer if fewer were evaluated.
    """
    plan, topology = result.schedule.plan, result.schedule.topology
    evaluator = shared_evaluator(plan.task, topology)
    costs = cost_model(result.objective, plan.task, topology)
    known = _once(_as_ranked(each) for each in result.known)
    taken = {each.strategy for each in known}
    left = [
        each
        for each in _once(_at_bound(result, cost, n) for cost, n in result.bounded)
        if each.strategy not in taken
    ]
    # What cannot be among the best any more needs no closer bound.
    limit = known[most - 1].cost if len(known) >= most else None
    placed, left = _placed(costs, evaluator, left, limit)
    planned, unplanned = _planned(costs, evaluator, placed, limit)
    known, untimed = _timed(costs, evaluator, known, planned, limit)
    known = _once(known)
    rest = [each.cost.first for each in (*left, *unplanned, *untimed, *known[most:])]
    return Ranking(tuple(known[:most]), min(rest, default=None))


def plan_of(result: SearchResult, one: Ranked) -> ShardingPlan | None:
    """Return the plan of a ranked strategy on the chips of a search, None if too full.

    Raises
    ------
    PlanError
        If there are more stages than the model has pieces.
    """
    evaluator = StrategyEvaluator(
        result.schedule.plan.task, result.schedule.topology, ()
    )
    return evaluator.fitting_plan(one.strategy, most=one.sequences, least=one.sequences)


def _as_ranked(each: Evaluated) -> Ranked:
    """Return the rank of an evaluated strategy."""
    return Ranked(
        strategy=each.strategy,
        sequences=each.sequences,
        cost=each.cost,
        latency_cycles=each.latency_cycles,
        exact=True,
    )


def _at_bound(result: SearchResult, cost: Cost, sequences: int) -> Ranked:
    """Return the rank of a strategy by a lower bound of its cost."""
    latency = cost.first if result.objective is Objective.LATENCY else cost.second
    return Ranked(
        strategy=cost.strategy,
        sequences=sequences,
        cost=cost,
        latency_cycles=int(latency),
        exact=False,
    )


def _once(every: Iterable[Ranked]) -> list[Ranked]:
    """Return each strategy once, with its best number of sequences, in order."""
    best: dict[Strategy, Ranked] = {}
    for each in sorted(every, key=lambda one: (one.cost, one.sequences)):
        best.setdefault(each.strategy, each)
    return list(best.values())


def _closer(costs: CostModel, one: Ranked, latency: int) -> Ranked:
    """Return a ranked strategy with a new bound, which never falls."""
    share = latency / (one.sequences * one.strategy.data)
    cost = costs.at_least(one.strategy, latency, share)
    if cost < one.cost:
        return one
    return replace(one, cost=cost, latency_cycles=latency)


def _exact(
    costs: CostModel,
    one: Ranked,
    plan: ShardingPlan,
    topology: Topology,
    timed: TimedToken,
) -> Ranked:
    """Return a ranked strategy of a single sequence with the cost of its token."""
    latency = timed.timeline.token_cycles
    cost = costs.exact(
        one.strategy, latency, latency, lambda: emitted_token(plan, topology, timed)
    )
    return replace(one, cost=cost, latency_cycles=latency, exact=True)


def _placed(
    costs: CostModel,
    evaluator: StrategyEvaluator,
    left: list[Ranked],
    limit: Cost | None,
) -> tuple[list[Ranked], list[Ranked]]:
    """Return the strategies of promising splits with placed bounds, and all others."""
    splits: dict[Strategy, int] = {}
    for each in left:
        if limit is not None and each.cost > limit:
            break
        if each.strategy.data > 1:
            continue
        split, stages = replace(each.strategy, pipeline=1), each.strategy.pipeline
        if split in splits or len(splits) < _MOST_PLACED:
            splits[split] = max(stages, splits.get(split, 0))
    placed, others = [], []
    for each in left:
        split = replace(each.strategy, pipeline=1)
        if each.strategy.data > 1:
            # Its vectors may take other paths than those of the placed bound.
            placed.append(each)
            continue
        if split not in splits:
            others.append(each)
            continue
        longest = replace(split, pipeline=splits[split])
        bound = evaluator.placed_bound(longest, head_groups=True)
        # What takes more trains than memory holds has no schedule.
        if bound is not None:
            cycles = bound.token_cycles(each.strategy.pipeline)
            placed.append(_closer(costs, each, cycles))
    return _once(placed), others


def _planned(
    costs: CostModel,
    evaluator: StrategyEvaluator,
    placed: list[Ranked],
    limit: Cost | None,
) -> tuple[list[tuple[Ranked, ShardingPlan]], list[Ranked]]:
    """Return promising strategies that fit, with their plans, and all others."""
    planned: list[tuple[Ranked, ShardingPlan]] = []
    tried = 0
    for each in placed[:_MOST_TRIED]:
        beyond = limit is not None and each.cost > limit
        if beyond or len(planned) == _MOST_PLANNED:
            break
        tried += 1
        least = 1 if costs.objective.fills else each.sequences
        try:
            plan = evaluator.fitting_plan(
                each.strategy, most=each.sequences, least=least
            )
            if plan is not None:
                one = replace(each, sequences=plan.sequences)
                latency = evaluator.least_latency(plan)
                planned.append((_closer(costs, one, latency), plan))
        except RackError:
            continue
    planned.sort(key=lambda pair: pair[0].cost)
    return planned, placed[tried:]


def _timed(
    costs: CostModel,
    evaluator: StrategyEvaluator,
    known: list[Ranked],
    planned: list[tuple[Ranked, ShardingPlan]],
    limit: Cost | None,
) -> tuple[list[Ranked], list[Ranked]]:
    """Return the strategies whose evaluation is complete, and all others."""
    others, timed = [], 0
    for one, plan in planned:
        beyond = limit is not None and one.cost > limit
        if one.sequences > 1 or one.strategy.data > 1:
            known.append(one)
        elif beyond or timed == _MOST_TIMED:
            others.append(one)
        else:
            timed += 1
            try:
                timed_token = time_token(plan, evaluator.topology)
            except RackError:
                continue
            known.append(_exact(costs, one, plan, evaluator.topology, timed_token))
    return known, others
