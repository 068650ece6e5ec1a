import pytest

from compiler.search.best_first_search import BestFirstSearch
from compiler.search.objective import Objective
from compiler.search.search_result import SearchResult
from compiler.search.strategy_evaluator import StrategyEvaluator
from sharding.weights.task import Task
from topologies.selection import select_topology


@pytest.fixture(scope="module")
def evaluator(small_task: Task) -> StrategyEvaluator:
    return StrategyEvaluator(small_task, select_topology(8), widths=(1, 2))


def searched(
    task: Task, evaluator: StrategyEvaluator, most_compiled: int
) -> SearchResult:
    search = BestFirstSearch(task, evaluator, Objective.THROUGHPUT, 1)
    return search.run(most_compiled)


def test_a_finished_search_leaves_nothing_that_its_best_does_not_beat(
    small_task: Task, evaluator: StrategyEvaluator
) -> None:
    result = searched(small_task, evaluator, 100)
    best = result.compiled[0].cost
    assert result.gap == 0
    assert result.bound == best.first
    assert all(cost >= best for cost, _ in result.bounded)
    assert result.scored >= result.planned > 0


def test_a_search_that_may_evaluate_one_strategy_compiles_it(
    small_task: Task, evaluator: StrategyEvaluator
) -> None:
    short, whole = (searched(small_task, evaluator, most) for most in (1, 100))
    assert len(short.known) == len(short.compiled) == 1
    assert short.bound <= whole.compiled[0].cost.first <= short.compiled[0].cost.first


def test_a_search_does_not_end_before_it_knows_of_a_strategy_that_fits(
    small_task: Task, evaluator: StrategyEvaluator
) -> None:
    assert searched(small_task, evaluator, 0).compiled
