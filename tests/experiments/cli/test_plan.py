import json
from pathlib import Path

import pytest

from experiments.cli.plan import show_plan
from specs.scenario import Scenario


def test_a_plan_is_printed_as_json_and_written_as_a_table(
    small_scenario: Scenario, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "plan.csv"
    show_plan(small_scenario, path, explain=False, pareto=False, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["plan"]["strategy"] == "tensor=5,pipeline=4"
    assert not {"explanation", "pareto"} & document.keys()
    assert path.read_text("utf-8").startswith("chip,replica,stage,layer,tensor")
