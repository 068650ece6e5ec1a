"""Ranking of strategies as text: by how much each is worse than the best."""

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from compiler.search.objective import Objective
from experiments.plan_report.explanation import Explanation
from experiments.plan_report.ranking_text import ranking_report, worse_by


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
