from dataclasses import replace

import pytest

from compiler.bounds.block_bound import BlockBoundCache
from compiler.bounds.strategy_bound import split_bound
from compiler.ir.schedule import Schedule
from compiler.search.branch_and_bound import best_strategy
from compiler.search.objective import Objective, cost_of
from compiler.search.search_result import Evaluated, SearchResult, nothing_fits
from compiler.search.search_space import strategies_on
from sharding.parallelism.strategy import Strategy
from sharding.planner.infeasibility import fits
from sharding.weights.task import Task
from specs.errors import PlanError
from specs.machine import load_machine
from specs.model import load_model
from topologies.selection import select_topology

ONE = Strategy(tensor=1, pipeline=1)


def evaluated(latency: int, strategy: Strategy = ONE) -> Evaluated:
    cost = cost_of(Objective.LATENCY, strategy, latency, latency)
    return Evaluated(strategy, 1, cost, latency, latency, (latency,))


@pytest.fixture
def result(schedule: Schedule) -> SearchResult:
    return SearchResult(
        objective=Objective.LATENCY,
        schedule=schedule,
        candidates=9,
        scored=7,
        planned=4,
        compiled=(evaluated(1_000), evaluated(1_200)),
        timed=(evaluated(1_100), evaluated(1_300)),
        refused=(),
        bounded=(),
        bound=750,
    )


def test_what_is_known_is_sorted_whether_compiled_or_timed(
    result: SearchResult,
) -> None:
    assert [each.latency_cycles for each in result.known] == [
        1_000,
        1_100,
        1_200,
        1_300,
    ]


def test_the_gap_is_the_part_by_which_the_bound_is_below_the_best(
    result: SearchResult,
) -> None:
    assert result.gap == 0.25
    assert replace(result, bound=1_000).gap == 0


def test_a_model_that_fits_nowhere_is_told_the_chips_that_hold_its_bytes(
    small_task: Task,
) -> None:
    bound = split_bound(small_task, 1, BlockBoundCache())
    said = str(nothing_fits(bound, 2, 1))
    held = bound.weight_bytes + bound.kv_cache_bytes
    assert f"take {held:,} bytes and the chips have 2,000,000" in said
    fewest = int(said.rpartition("use --chips ")[2].partition(" ")[0])
    # A megabyte each.
    assert fewest >= -(-held // 1_000_000)
    for chips, holds in ((fewest, True), (fewest - 1, False)):
        fitting = [
            fits(small_task.split_as(strategy), strategy.pipeline, 1)
            for strategy in strategies_on(small_task.model, chips)
        ]
        assert any(fitting) == holds


@pytest.mark.parametrize(("name", "chips"), [("bert-large", 2), ("gpt2-xl", 9)])
def test_the_chips_that_a_refusal_names_hold_the_model_and_one_less_does_not(
    name: str, chips: int
) -> None:
    model = load_model(name)
    task = Task(model, load_machine(), 1, model.max_context_tokens, 1)

    def search(count: int) -> SearchResult:
        return best_strategy(
            task,
            select_topology(count),
            objective=Objective.CHIPS,
            sequences=1,
            most_compiled=1,
        )

    for too_few in (1, chips - 1):
        with pytest.raises(PlanError, match=rf"use --chips {chips} or more$"):
            search(too_few)
    assert search(chips).compiled[0].strategy.chips == chips
