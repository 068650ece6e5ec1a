import json

import pytest

from experiments.cli.collective import collective_command


def test_a_collective_is_of_a_node_unless_something_says_how_many(
    capsys: pytest.CaptureFixture[str],
) -> None:
    collective_command("all-reduce", 320, engine="replay", as_json=True)
    assert json.loads(capsys.readouterr().out)["chips"] == 8
    collective_command(
        "all-reduce", 320, topology="rack", engine="replay", as_json=True
    )
    assert json.loads(capsys.readouterr().out)["chips"] == 72
