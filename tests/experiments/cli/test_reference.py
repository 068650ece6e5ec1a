import json
from dataclasses import replace

import pytest
import typer

from experiments.cli.reference import (
    models_command,
    topology_command,
    validate_command,
)
from experiments.validation import all_rows
from experiments.validation.comparison import Comparison
from experiments.validation.published_figures import published_figures
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
def test_a_new_disagreement_is_exit_code_3_after_all_are_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    figure = replace(published_figures()[0], published=100.0, tolerance=0.05)
    near, far = (
        Comparison(replace(figure, label=label), ours)
        for label, ours in (("near", 104.0), ("far", 106.0))
    )
    known = Comparison(replace(figure, label="known", reason="a reason"), 106.0)
    monkeypatch.setattr(all_rows, "validation_rows", lambda: [near, known])
    validate_command(as_json)
    alone = capsys.readouterr().out
    monkeypatch.setattr(all_rows, "validation_rows", lambda: [far, near, known])
    with pytest.raises(typer.Exit) as stop:
        validate_command(as_json)
    assert stop.value.exit_code == 3
    every = capsys.readouterr().out
    if as_json:
        rows = json.loads(every)
        assert [row["error"] for row in rows] == pytest.approx([0.06, 0.04, 0.06])
        assert [row["reason"] for row in rows] == [None, None, "a reason"]
        assert json.loads(alone) == rows[1:]
    else:
        assert ("near" in alone, "far" in alone) == (True, False)
        assert every.index("far") < every.index("near") < every.index("(a) a reason")


def test_a_narrow_terminal_cuts_no_cell_of_the_published_figures_short(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [Comparison(each, each.ends[1]) for each in published_figures()]
    monkeypatch.setattr(all_rows, "validation_rows", lambda: rows)
    monkeypatch.setenv("COLUMNS", "40")
    validate_command()
    assert "\N{HORIZONTAL ELLIPSIS}" not in capsys.readouterr().out
