import json

import pytest
import typer

from experiments.cli.reference import (
    models_command,
    topology_command,
    validate_command,
)
from experiments.validation import all_rows
from experiments.validation.row import FigureKind, PublishedFigure
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


@pytest.mark.parametrize("as_json", [True, False])
def test_a_figure_beyond_its_tolerance_is_exit_code_3_after_all_are_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    near, far = (
        PublishedFigure(
            name=name,
            source="made-up",
            published=100.0,
            ours=ours,
            unit="ns",
            tolerance=0.05,
            kind=FigureKind.PREDICTED,
        )
        for name, ours in (("near", 104.0), ("far", 106.0))
    )
    monkeypatch.setattr(all_rows, "validation_rows", lambda: [near])
    validate_command(as_json)
    alone = capsys.readouterr().out
    monkeypatch.setattr(all_rows, "validation_rows", lambda: [far, near])
    with pytest.raises(typer.Exit) as stop:
        validate_command(as_json)
    assert stop.value.exit_code == 3
    both = capsys.readouterr().out
    if as_json:
        assert [row["error"] for row in json.loads(both)] == pytest.approx([0.06, 0.04])
        assert json.loads(alone) == json.loads(both)[1:]
    else:
        assert ("near" in alone, "far" in alone) == (True, False)
        assert both.index("far") < both.index("near")
