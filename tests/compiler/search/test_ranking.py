from collections.abc import Callable
from functools import cache

import pytest

from compiler.compile_decode import compile_token, time_token
from compiler.search.branch_and_bound import best_strategy
from compiler.search.objective import Objective
from compiler.search.ranking import plan_of, ranking
from compiler.search.search_result import SearchResult
from compiler.search.strategy_evaluator import StrategyEvaluator
from sharding.weights.task import Task
from specs.machine import load_machine
from topologies.selection import select_topology

CHIPS = 6
Searched = Callable[[Objective], SearchResult]


@pytest.fixture(scope="module")
def searched(small_task: Task) -> Searched:
    """Search all strategies of a small model on chips that have room for it."""
    task, topology = small_task._replace(machine=load_machine()), select_topology(CHIPS)

    @cache
    def search(objective: Objective) -> SearchResult:
        return best_strategy(task, topology, objective=objective, sequences=1)

    return search


def test_the_next_best_of_a_small_machine_are_those_of_timing_every_strategy(
    searched: Searched,
) -> None:
    found = searched(Objective.LATENCY)
    evaluator = StrategyEvaluator(found.schedule.plan.task, found.schedule.topology)
    every = {}
    for split in evaluator.splits:
        for strategy in evaluator.pipelines(split):
            plan = evaluator.fitting_plan(strategy, most=1, least=1)
            assert plan is not None
            timed = time_token(plan, evaluator.topology)
            every[strategy] = timed.timeline.token_cycles
    best, others_cost = ranking(found, most=5)
    assert all(every[each.strategy] == each.latency_cycles for each in best)
    assert [each.latency_cycles for each in best] == sorted(every.values())[:5]
    assert others_cost is not None
    rest = every.keys() - {each.strategy for each in best}
    assert all(every[strategy] >= others_cost for strategy in rest)


@pytest.mark.parametrize("objective", Objective)
def test_a_ranking_begins_with_the_best_and_never_falls(
    searched: Searched, objective: Objective
) -> None:
    found = searched(objective)
    best, others_cost = ranking(found, most=10)
    assert best[0].strategy == found.compiled[0].strategy
    assert best[0].exact
    costs = [each.cost for each in best]
    assert costs == sorted(costs)
    assert len({each.strategy for each in best}) == len(best) == 10
    assert others_cost is not None
    assert others_cost >= best[0].cost.first


def test_the_plan_of_a_ranked_strategy_is_the_one_that_was_timed(
    searched: Searched,
) -> None:
    found = searched(Objective.LATENCY)
    second = ranking(found, most=2).best[1]
    plan = plan_of(found, second)
    assert plan is not None
    schedule = compile_token(plan, found.schedule.topology)
    assert schedule.latency_cycles == second.latency_cycles
