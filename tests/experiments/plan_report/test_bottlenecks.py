import pytest

from compiler.search.objective import Objective
from compiler.search.sensitivity import sensitivities
from experiments.plan_report.bottlenecks import Limit, limits
from experiments.run.preparation import Prepared, compile_prepared, plan_scenario
from specs.errors import PlanError
from specs.scenario import Scenario


def planned(**asked: object) -> Prepared:
    known = {"model": "llama-2-7b", "chips": 40, "strategy": "tensor=8,pipeline=5"}
    return plan_scenario(Scenario.model_validate({**known, **asked}))


def limits_of(prepared: Prepared) -> dict[str, Limit]:
    schedule = compile_prepared(prepared)
    objective = Objective(prepared.scenario.objective)
    moves = sensitivities(schedule, objective, most=100)
    return {each.name: each for each in limits(prepared, schedule, moves)}


def test_one_stage_fewer_fits_the_memory_that_it_is_said_to_take() -> None:
    limit = limits_of(planned())["SRAM"]
    assert limit.relaxed.startswith("pipeline=4 takes chip.sram_bytes=")
    needed = int(limit.relaxed.partition("sram_bytes=")[2].split(",")[0])
    four = {"strategy": "tensor=8,pipeline=4"}
    planned(**four, settings={"chip.sram_bytes": needed})
    with pytest.raises(PlanError, match="fullest"):
        planned(**four, settings={"chip.sram_bytes": needed - 1})


def test_a_setting_that_is_said_to_make_room_does() -> None:
    limit = limits_of(planned())["SRAM"]
    assert limit.relaxed.endswith(", or formats.weights=int4")
    four = {"strategy": "tensor=8,pipeline=4"}
    planned(**four, settings={"formats.weights": "int4"})
    with pytest.raises(PlanError, match="fullest"):
        planned(**four, settings={"formats.kv_cache": "fp8"})


def test_replicas_wait_side_by_side_for_what_limits_one() -> None:
    one = limits_of(planned(context=2048))
    two = limits_of(
        planned(chips=80, strategy="tensor=8,pipeline=5,data=2", context=2048)
    )
    assert two["context"].cycles == one["context"].cycles > 0
    assert two["heads"].cycles == one["heads"].cycles


def test_links_and_compute_cost_what_a_token_spends_on_them() -> None:
    prepared = planned()
    spent = compile_prepared(prepared).breakdown
    found = limits_of(prepared)
    assert found["links"].cycles == spent.link
    assert found["compute"].cycles == spent.compute
    assert found["context"].cycles < spent.compute
