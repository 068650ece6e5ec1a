import pytest

from compiler.compile_decode import time_token
from compiler.search.exact_evaluator import ExactEvaluator
from compiler.search.objective import CostModel, Objective, cost_model
from compiler.search.strategy_evaluator import StrategyEvaluator
from sharding.parallelism.strategy import Strategy
from sharding.planner.plan import ShardingPlan
from sharding.weights.task import Task
from topologies.selection import select_topology

TOPOLOGY = select_topology(8)


def plan_of(task: Task, strategy: Strategy, sequences: int = 1) -> ShardingPlan:
    plan = StrategyEvaluator(task, TOPOLOGY, (strategy.tensor,)).fitting_plan(
        strategy, most=sequences, least=sequences
    )
    assert plan is not None
    return plan


@pytest.fixture
def four(small_task: Task) -> ShardingPlan:
    return plan_of(small_task, Strategy(tensor=1, pipeline=4))


@pytest.fixture
def six(small_task: Task) -> ShardingPlan:
    return plan_of(small_task, Strategy(tensor=1, pipeline=6))


def test_a_token_that_was_timed_costs_the_same_once_it_is_compiled(
    four: ShardingPlan,
) -> None:
    exact = ExactEvaluator(TOPOLOGY, CostModel(Objective.LATENCY))
    exact.add(four)
    assert exact.plan(four.strategy, 1) is four
    timed = exact.time(four.strategy, 1)
    assert [each.cost for each in exact.timed] == [timed]
    assert exact.best is None
    plan, token, compiled = exact.compile(four.strategy, 1)
    assert (plan, compiled) == (four, timed)
    assert token.timeline.token_cycles == timed.first
    # It counts once, as compiled.
    assert exact.timed == ()
    assert exact.evaluated == len(exact.compiled) == 1


def test_so_does_its_energy_which_is_at_least_its_bound(four: ShardingPlan) -> None:
    costs = cost_model(Objective.ENERGY, four.task, TOPOLOGY)
    exact = ExactEvaluator(TOPOLOGY, costs)
    exact.add(four)
    timed = exact.time(four.strategy, 1)
    assert exact.cost(four, timed.second) < timed
    _, _, compiled = exact.compile(four.strategy, 1)
    assert compiled.first == pytest.approx(timed.first)


def test_the_best_schedule_is_kept_whatever_is_compiled_after_it(
    four: ShardingPlan, six: ShardingPlan
) -> None:
    exact = ExactEvaluator(TOPOLOGY, CostModel(Objective.LATENCY))
    costs = []
    for plan in (four, six):
        exact.add(plan)
        costs.append(exact.compile(plan.strategy, 1)[2])
    assert exact.best_cost == min(costs) == costs[0]
    assert exact.best is not None
    assert exact.best.plan is four
    assert [each.strategy for each in exact.compiled] == [four.strategy, six.strategy]


def test_a_timed_token_is_not_timed_again(four: ShardingPlan) -> None:
    exact = ExactEvaluator(TOPOLOGY, CostModel(Objective.LATENCY))
    timed = time_token(four, TOPOLOGY)
    exact.add(four, timed)
    assert exact.compile(four.strategy, 1)[1] is timed
    assert exact.trains == timed.timeline.trains


def test_sequences_and_replicas_share_the_cycles_of_a_token(small_task: Task) -> None:
    exact = ExactEvaluator(TOPOLOGY, CostModel(Objective.THROUGHPUT))
    three = plan_of(small_task, Strategy(tensor=1, pipeline=4, data=2), 3)
    assert exact.cost(three, 1_200).first == 1_200 / (3 * 2)
    assert exact.cost(three, 1_200).second == 1_200


def test_sequences_in_flight_follow_each_other_at_their_interval(
    small_task: Task,
) -> None:
    exact = ExactEvaluator(TOPOLOGY, CostModel(Objective.THROUGHPUT))
    plan = plan_of(small_task, Strategy(tensor=1, pipeline=4), 2)
    exact.add(plan)
    exact.compile(plan.strategy, 2)
    (each,) = exact.compiled
    assert exact.best is not None
    assert each.sequences == 2
    assert each.interval_cycles == exact.best.program.interval_cycles > 0
    assert each.stage_cycles == exact.best.timeline.stage_cycles
