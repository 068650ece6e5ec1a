from experiments.plan_report.plan_summary import plan_summary, search_block
from experiments.run.preparation import plan_scenario
from specs.scenario import Scenario


def test_a_plan_without_a_search_says_nothing_of_one(small_scenario: Scenario) -> None:
    document = plan_summary(plan_scenario(small_scenario))
    assert "search" not in document
    assert [stage["stage"] for stage in document["stages"]] == [0, 1, 2, 3]
    assert {stage["chips"] for stage in document["stages"]} == {5}


def test_a_search_says_how_sure_its_best_is(small_scenario: Scenario) -> None:
    asked = small_scenario.model_copy(update={"strategy": "auto", "chips": 4})
    searched = plan_scenario(asked).searched
    assert searched is not None
    block = search_block(searched)
    assert block["best_cost"] >= block["best_bound"]
    assert block["gap"] == 0
    assert block["candidates"] >= block["scored"] >= block["compiled"] >= 1
    assert block["best_bound_cycles"] == int(block["best_bound"])
