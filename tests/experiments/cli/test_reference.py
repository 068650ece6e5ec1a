import json

import pytest

from experiments.cli.reference import models_command, topology_command
from specs.model import model_names


def test_models_are_listed_with_their_parameters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    models_command(as_json=True)
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == list(model_names())
    assert all(row["parameters"] > 10**8 for row in rows)


def test_a_topology_is_the_one_of_so_many_chips(
    capsys: pytest.CaptureFixture[str],
) -> None:
    topology_command(chips=72, as_json=True)
    facts = json.loads(capsys.readouterr().out)
    assert (facts["chips"], facts["links"]) == (72, 396)
