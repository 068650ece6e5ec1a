"""A strategy in the queue of a search, and what is to be done with it next."""

from enum import IntEnum
from typing import NamedTuple

from compiler.bounds.strategy_bound import SplitBound
from compiler.bounds.throughput_bound import share_cycles
from compiler.search.objective import Cost, Objective, cost_of
from compiler.search.strategy_evaluator import StrategyEvaluator
from sharding.parallelism.strategy import Strategy


class SearchStep(IntEnum):
    """What is to be done next with a strategy."""

    PLACE = 0
    PLACE_TEAMS = 1
    PLAN = 2
    CHAIN = 3
    TIME = 4
    COMPILE = 5


class FrontierEntry(NamedTuple):
    """A strategy in the queue, with what is known of it.

    Attributes
    ----------
    expected
        What its cost may be taken for until it is known; at least the bound.
    cost
        Bound of its cost.
    step, sequences
        What to do next, and with how many sequences in flight.
    """

    expected: float
    cost: Cost
    step: SearchStep
    sequences: int

    @property
    def strategy(self) -> Strategy:
        """Return the split."""
        return self.cost.strategy


def bounded_entry(
    objective: Objective,
    bound: SplitBound,
    strategy: Strategy,
    sequences: int,
    *,
    step: SearchStep,
) -> FrontierEntry:
    """Return the entry of a strategy of which no more is known than a bound."""
    cycles = bound.token_cycles(strategy.pipeline)
    share = share_cycles(bound, strategy, sequences)
    cost = cost_of(objective, strategy, cycles, share)
    return FrontierEntry(cost.first, cost, step, sequences)


def every_entry(
    looks: StrategyEvaluator, objective: Objective, sequences: int
) -> tuple[int, list[FrontierEntry]]:
    """Return how many strategies there are, and those that memory may hold.

    Parameters
    ----------
    looks
        What is known of the strategies.
    objective
        What is sought.
    sequences
        Sequences in flight, where there are not as many as fit.
    """
    least = 1 if objective.fills else sequences
    # What fits on few chips is a matter of memory: links only matter where it does.
    step = SearchStep.PLAN if objective is Objective.CHIPS else SearchStep.PLACE
    candidates, entries = 0, []
    for split in looks.splits:
        bound = looks.anywhere(split)
        for one in looks.pipelines(split):
            replicated = [one]
            if objective is Objective.THROUGHPUT:
                replicated = looks.replicas(one)
            candidates += len(replicated)
            most = looks.most_sequences(one)
            if most < least:
                continue
            # As many tokens as there are stages are at work at once, and no more.
            count = min(one.pipeline, most) if objective.fills else least
            for strategy in replicated:
                # Where replicas pass each other is known once they are compiled.
                first = step if strategy.data == 1 else SearchStep.PLAN
                entry = bounded_entry(objective, bound, strategy, count, step=first)
                entries.append(entry)
    return candidates, entries
