from dataclasses import replace

import pytest

from compiler.compile_decode import compile_token
from compiler.search.strategy_evaluator import StrategyEvaluator
from sharding.parallelism.strategy import Strategy
from sharding.weights.task import Task
from specs.errors import PlanError
from topologies.selection import select_topology

FOUR = Strategy(tensor=1, pipeline=4)


@pytest.fixture(scope="module")
def evaluator(small_task: Task) -> StrategyEvaluator:
    return StrategyEvaluator(small_task, select_topology(8))


def test_pipelines_and_replicas_take_no_more_chips_than_there_are(
    evaluator: StrategyEvaluator,
) -> None:
    pipelines = evaluator.pipelines(Strategy(tensor=3, pipeline=1))
    assert [each.pipeline for each in pipelines] == [1, 2]
    replicas = evaluator.replicas(Strategy(tensor=1, pipeline=3))
    assert [each.data for each in replicas] == [1, 2]


def test_only_the_widths_that_are_asked_for_are_split(small_task: Task) -> None:
    topology = select_topology(8)
    some = StrategyEvaluator(small_task, topology, (2, 5, 11)).splits
    assert {split.tensor for split in some} == {2, 5}
    plain = StrategyEvaluator(small_task, topology, (4,), plain=True).splits
    assert plain == [Strategy(tensor=4, pipeline=1)]


def test_a_plan_has_as_many_sequences_as_fit(evaluator: StrategyEvaluator) -> None:
    most = evaluator.most_sequences(FOUR)
    plan = evaluator.fitting_plan(FOUR, most=most + 9, least=1)
    assert plan is not None
    assert 1 < plan.sequences <= most
    sram = plan.task.machine.chip.sram_bytes
    assert plan.fullest_chip_bytes <= sram
    more = plan.sequences + 1
    assert evaluator.fitting_plan(FOUR, most=more, least=more) is None
    few = evaluator.fitting_plan(FOUR, most=2, least=1)
    assert few is not None
    assert few.sequences == 2


def test_a_model_that_its_chips_cannot_hold_has_no_plan(
    evaluator: StrategyEvaluator,
) -> None:
    one = Strategy(tensor=1, pipeline=1)
    assert evaluator.most_sequences(one) == 0
    assert evaluator.fitting_plan(one, most=1, least=1) is None


def test_more_stages_than_pieces_of_the_model_are_refused(
    evaluator: StrategyEvaluator,
) -> None:
    with pytest.raises(PlanError, match="more stages than small has pieces"):
        evaluator.fitting_plan(Strategy(tensor=1, pipeline=4_000), most=1, least=1)


def test_replicas_are_cut_like_one_alone(evaluator: StrategyEvaluator) -> None:
    twice = evaluator.fitting_plan(replace(FOUR, data=2), most=2, least=1)
    alone = evaluator.fitting_plan(FOUR, most=2, least=1)
    assert twice is not None
    assert alone is not None
    cuts = [stage.blocks for stage in alone.stages]
    assert [stage.blocks for stage in twice.stages] == 2 * cuts


def test_each_bound_is_above_the_one_before_and_below_the_schedule(
    evaluator: StrategyEvaluator,
) -> None:
    for strategy in (FOUR, Strategy(tensor=4, pipeline=2)):
        plan = evaluator.fitting_plan(strategy, most=1, least=1)
        assert plan is not None
        stages = strategy.pipeline
        placed = [
            evaluator.placed_bound(strategy, head_groups=groups)
            for groups in (False, True)
        ]
        bounds = [
            evaluator.unplaced_bound(strategy).token_cycles(stages),
            *(bound.token_cycles(stages) for bound in placed if bound is not None),
            evaluator.least_latency(plan),
            compile_token(plan, evaluator.topology).latency_cycles,
        ]
        assert len(bounds) == 5
        assert bounds == sorted(bounds)
        closest = evaluator.closest_bound(strategy).token_cycles(stages)
        assert closest == bounds[2]


def test_a_replica_is_bounded_on_any_path(evaluator: StrategyEvaluator) -> None:
    twice = replace(FOUR, data=2)
    assert evaluator.closest_bound(twice) is evaluator.unplaced_bound(FOUR)
    plan = evaluator.fitting_plan(twice, most=1, least=1)
    assert plan is not None
    latency = compile_token(plan, evaluator.topology).latency_cycles
    assert 0 < evaluator.least_latency(plan) <= latency


def test_groups_of_three_on_nodes_of_eight_cross_nodes(small_task: Task) -> None:
    evaluator = StrategyEvaluator(small_task, select_topology(72), (3, 4))
    crosses = [
        evaluator.crosses_nodes(Strategy(tensor=tensor, pipeline=pipeline))
        for tensor, pipeline in ((4, 4), (3, 2), (3, 3))
    ]
    assert crosses == [False, False, True]


@pytest.mark.parametrize(("pipeline", "free"), [(4, True), (5, False)])
def test_cuts_are_free_unless_sequences_need_the_memory(
    evaluator: StrategyEvaluator, pipeline: int, *, free: bool
) -> None:
    strategy = Strategy(tensor=1, pipeline=pipeline)
    one = evaluator.fitting_plan(strategy, most=1, least=1)
    full = evaluator.fitting_plan(strategy, most=10**4, least=1)
    assert one is not None
    assert full is not None
    cuts = [[stage.blocks for stage in plan.stages] for plan in (one, full)]
    assert evaluator.cut_freely(one)
    assert evaluator.cut_freely(full) == (cuts[0] == cuts[1]) == free
