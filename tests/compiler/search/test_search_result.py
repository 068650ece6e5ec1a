from dataclasses import replace

import pytest

from compiler.bounds.block_bound import BlockBoundCache
from compiler.bounds.strategy_bound import split_bound
from compiler.ir.schedule import Schedule
from compiler.search.objective import Objective, cost_of
from compiler.search.search_result import Evaluated, SearchResult, nothing_fits
from sharding.parallelism.strategy import Strategy
from sharding.weights.task import Task

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
    # A megabyte each.
    assert said.endswith(f"use --chips {-(-held // 1_000_000) + 1} or more")
