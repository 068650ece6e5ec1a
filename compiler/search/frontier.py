"""Frontier of a search: the queued strategies, each with a bound and its next step."""

from enum import IntEnum
from typing import NamedTuple

from compiler.bounds.strategy_bound import SplitBound
from compiler.bounds.throughput_bound import share_cycles
from compiler.search.objective import Cost, CostModel, Objective
from compiler.search.strategy_evaluator import StrategyEvaluator
from sharding.parallelism.strategy import Strategy
from specs.progress import report_progress


class SearchStep(IntEnum):
    """Step that evaluates a strategy more closely, in this order."""

    COUNT_HOPS = 0
    PLACE_MOST = 1
    PLACE = 2
    PLACE_HEAD_GROUPS = 3
    PLAN = 4
    CRITICAL_PATH = 5
    TIME = 6
    COMPILE = 7


class FrontierEntry(NamedTuple):
    """Frontier entry: a queued strategy with its bound.

    Attributes
    ----------
    expected
        Estimate of its cost by which the queue is sorted; at least the bound.
    cost
        Lower bound of its cost.
    step, sequences
        The next step, and the sequences in flight.
    """

    expected: float
    cost: Cost
    step: SearchStep
    sequences: int

    @property
    def strategy(self) -> Strategy:
        """Return the strategy of the entry."""
        return self.cost.strategy


def bounded_entry(
    costs: CostModel,
    bound: SplitBound,
    strategy: Strategy,
    sequences: int,
    *,
    step: SearchStep,
) -> FrontierEntry:
    """Return the search frontier's entry of a strategy with only a bound known."""
    cycles = bound.token_cycles(strategy.pipeline)
    share = share_cycles(bound, strategy, sequences)
    cost = costs.at_least(strategy, cycles, share)
    return FrontierEntry(cost.first, cost, step, sequences)


def initial_entries(
    evaluator: StrategyEvaluator, costs: CostModel, sequences: int
) -> tuple[int, list[FrontierEntry]]:
    """Return a search's number of strategies, and entries of those that may fit memory.

    Parameters
    ----------
    evaluator
        The bounds of the strategies.
    costs
        The costs of strategies by what is sought.
    sequences
        Sequences in flight, unless the objective wants as many as fit.
    """
    objective = costs.objective
    least = 1 if objective.fills else sequences
    # The fewest chips are a matter of memory: links only matter once a plan fits.
    step = SearchStep.PLAN if objective is Objective.CHIPS else SearchStep.COUNT_HOPS
    candidates, entries = 0, []
    splits = evaluator.splits
    for number, split in enumerate(splits):
        report_progress("bounding splits", number, len(splits))
        bound = evaluator.unplaced_bound(split)
        for one in evaluator.pipelines(split):
            replicated = [one]
            if objective is Objective.THROUGHPUT:
                replicated = evaluator.replicas(one)
            candidates += len(replicated)
            most = evaluator.most_sequences(one)
            if most < least:
                continue
            # No more tokens than there are stages are at work at once.
            count = min(one.pipeline, most) if objective.fills else least
            for strategy in replicated:
                # How replicas share links is known once they are compiled.
                first = step if strategy.data == 1 else SearchStep.PLAN
                entry = bounded_entry(costs, bound, strategy, count, step=first)
                entries.append(entry)
    return candidates, entries
