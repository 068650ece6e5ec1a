from collections.abc import Callable

import pytest

from compiler.compile_decode import compile_token
from compiler.ir.schedule import Schedule
from compiler.search.neighbourhood import neighbourhood
from compiler.search.objective import Objective
from compiler.search.sensitivity import sensitivities
from sharding.parallelism.strategy import Strategy, parse_strategy

MOST = 50


@pytest.mark.parametrize(
    "text",
    [
        "tensor=2,pipeline=2,data=2",
        "tensor=4,pipeline=2,attention=2",
        "tensor=4,pipeline=2,layout=2d",
    ],
)
def test_changes_are_those_of_the_neighbourhood_that_have_a_schedule(
    small_schedule: Callable[[Strategy], Schedule], text: str
) -> None:
    schedule = small_schedule(parse_strategy(text, 8))
    best = sensitivities(schedule, Objective.LATENCY, most=MOST, most_compiled=MOST)
    names = {neighbour.name for neighbour in neighbourhood(schedule)}
    assert {each.name for each in best} <= names
    assert best


def test_what_compiling_says_of_a_neighbour_is_the_difference_of_two_schedules(
    schedule: Schedule,
) -> None:
    plans = {neighbour.name: neighbour.plan for neighbour in neighbourhood(schedule)}
    changes = sensitivities(
        schedule, Objective.THROUGHPUT, most=MOST, most_compiled=MOST
    )
    assert [each.cost for each in changes] == sorted(each.cost for each in changes)
    for each in changes:
        assert each.compiled
        there = compile_token(plans[each.name], schedule.topology)
        assert each.latency_cycles == there.latency_cycles - schedule.latency_cycles
        share = there.latency_cycles / there.plan.sequences
        assert each.share_cycles == share - schedule.latency_cycles / 2
        assert each.chips == there.plan.strategy.chips - 6


def test_what_is_not_compiled_is_estimated_by_its_bound(
    schedule: Schedule,
) -> None:
    changes = sensitivities(schedule, Objective.LATENCY, most=4, most_compiled=1)
    assert [each.compiled for each in changes].count(True) == 1
    assert len(changes) == 4
