"""Ranking of strategies as text: by how much each is worse than the best."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from compiler.search.objective import Objective
from compiler.search.placement_search import PlacedSchedule
from experiments.plan_report.explanation import Explanation
from experiments.plan_report.ranking_text import (
    order_note,
    ranking_report,
    worse_by,
)
from experiments.run.preparation import compile_prepared


@given(best=st.floats(1, 1e9), factor=st.floats(1, 1e3))
def test_a_cost_is_worse_by_its_excess_and_a_throughput_by_its_loss(
    best: float, factor: float
) -> None:
    cost = best * factor
    excess = worse_by(Objective.LATENCY, cost, best)
    loss = worse_by(Objective.THROUGHPUT, cost, best)
    assert 0 <= loss <= excess
    assert loss < 1
    # The rate that is lost and the time that is added are one change.
    assert abs((1 + excess) * (1 - loss) - 1) < 1e-9


def test_the_best_comes_first_and_no_cost_falls(why: Explanation) -> None:
    assert why.ranking is not None
    console = Console(width=120, color_system=None)
    with console.capture() as printed:
        console.print(ranking_report(why, why.ranking))
    title, heading, *rows = printed.get().splitlines()
    assert title == "Ranking"
    assert heading.split() == ["latency", "us", "worse", "by", "chips", "strategy"]
    shown = [row.split()[-1] for row in rows[: len(why.ranking.best)]]
    assert shown == [str(each.strategy) for each in why.ranking.best]
    costs = [each.cost.first for each in why.ranking.best]
    assert costs == sorted(costs)


@pytest.mark.parametrize(("average_w", "first"), [(185, "J"), (None, "chip")])
def test_energy_is_shown_in_joules_where_power_is_published(
    why: Explanation, average_w: float | None, first: str
) -> None:
    prepared = why.prepared
    power = prepared.machine.power.model_copy(update={"chip_average_w": average_w})
    sought = replace(
        prepared,
        scenario=prepared.scenario.model_copy(update={"objective": "energy"}),
        machine=prepared.machine.model_copy(update={"power": power}),
    )
    assert why.ranking is not None
    console = Console(width=120, color_system=None)
    with console.capture() as printed:
        console.print(ranking_report(why._replace(prepared=sought), why.ranking))
    heading = printed.get().splitlines()[1]
    assert heading.split()[0] == first


def test_a_plan_that_was_placed_on_other_chips_says_which_were_searched(
    why: Explanation,
) -> None:
    assert order_note(why) == ""
    schedule = compile_prepared(why.prepared)
    placed = PlacedSchedule(schedule, schedule.latency_cycles + 1)
    moved = why._replace(prepared=replace(why.prepared, placed=placed))
    assert order_note(moved) == " on the chips in order"
