import json
from pathlib import Path

import pytest

from experiments.cli.plan import PlanRequest, show_plan
from specs.scenario import Scenario


def test_a_plan_is_printed_as_json_and_written_as_a_table(
    small_scenario: Scenario, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "plan.csv"
    show_plan(small_scenario, path, PlanRequest(), as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["plan"]["strategy"] == "tensor=5,pipeline=4"
    assert not {"explanation", "pareto"} & document.keys()
    assert path.read_text("utf-8").startswith("chip,replica,stage,layer,tensor")


def test_a_plan_for_users_tells_the_ways_that_were_tried(
    small_scenario: Scenario, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = small_scenario.model_copy(
        update={"strategy": "auto", "chips": 2, "sequences": 1}
    )
    show_plan(asked, None, PlanRequest(users=2), as_json=True)
    told = json.loads(capsys.readouterr().out)["users"]
    assert told["users"] == 2
    ways = {(w["replicas"], w["sequences"], w["batch"]) for w in told["ways"]}
    assert ways == {(1, 2, 1), (1, 1, 2), (2, 1, 1)}
