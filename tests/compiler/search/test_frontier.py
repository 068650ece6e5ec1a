from collections import Counter

import pytest

from compiler.search.frontier import (
    FrontierEntry,
    SearchStep,
    bounded_entry,
    initial_entries,
)
from compiler.search.objective import Cost, CostModel, Objective
from compiler.search.strategy_evaluator import StrategyEvaluator
from sharding.parallelism.strategy import Strategy
from sharding.weights.task import Task
from topologies.selection import select_topology


@pytest.fixture(scope="module")
def evaluator(small_task: Task) -> StrategyEvaluator:
    return StrategyEvaluator(small_task, select_topology(8), widths=(1, 2))


def entries(
    evaluator: StrategyEvaluator, objective: Objective
) -> dict[str, FrontierEntry]:
    _, queued = initial_entries(evaluator, CostModel(objective), 1)
    return {str(entry.strategy): entry for entry in queued}


def test_an_entry_is_expected_to_cost_its_bound(evaluator: StrategyEvaluator) -> None:
    strategy = Strategy(tensor=2, pipeline=3)
    bound = evaluator.unplaced_bound(strategy)
    entry = bounded_entry(
        CostModel(Objective.LATENCY), bound, strategy, 1, step=SearchStep.PLACE
    )
    assert entry.cost == Cost(bound.token_cycles(3), 6, strategy)
    assert entry.expected == bound.token_cycles(3)
    assert entry.strategy == strategy


def test_strategies_that_memory_cannot_hold_are_counted_and_left_out(
    evaluator: StrategyEvaluator,
) -> None:
    # Eight pipelines of single chips; four of pairs, with two splits of a layer each.
    candidates, queued = initial_entries(evaluator, CostModel(Objective.LATENCY), 1)
    assert candidates == 8 + 4 * len([s for s in evaluator.splits if s.tensor == 2])
    strategies = {str(entry.strategy) for entry in queued}
    # A chip holds a third of the model.
    assert "tensor=1,pipeline=2" not in strategies
    assert "tensor=1,pipeline=3" in strategies
    assert len(queued) < candidates


def test_only_throughput_has_replicas(evaluator: StrategyEvaluator) -> None:
    counts = {
        objective: Counter(
            entry.strategy.data
            for entry in initial_entries(evaluator, CostModel(objective), 1)[1]
        )
        for objective in Objective
    }
    assert max(counts[Objective.THROUGHPUT]) == 2
    for objective in (Objective.LATENCY, Objective.CHIPS, Objective.ENERGY):
        assert set(counts[objective]) == {1}


def test_as_many_sequences_as_stages_fill_a_pipeline(
    evaluator: StrategyEvaluator,
) -> None:
    filled = entries(evaluator, Objective.ENERGY)["tensor=1,pipeline=5"]
    alone = entries(evaluator, Objective.LATENCY)["tensor=1,pipeline=5"]
    assert (filled.sequences, alone.sequences) == (5, 1)


def test_replicas_and_the_fewest_chips_are_planned_without_placing_them(
    evaluator: StrategyEvaluator,
) -> None:
    steps = {
        objective: entries(evaluator, objective)["tensor=1,pipeline=4"].step
        for objective in (Objective.LATENCY, Objective.CHIPS)
    }
    assert steps == {
        Objective.LATENCY: SearchStep.COUNT_HOPS,
        Objective.CHIPS: SearchStep.PLAN,
    }
    twice = entries(evaluator, Objective.THROUGHPUT)["tensor=1,pipeline=4,data=2"]
    assert twice.step is SearchStep.PLAN
