import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import typer

from experiments.cli.reference import (
    models_command,
    topology_command,
    validate_command,
)
from experiments.run.version import VERSION
from experiments.validation import all_rows
from experiments.validation.comparison import Comparison
from experiments.validation.published_figures import published_figures

Groqrack = Callable[..., subprocess.CompletedProcess[str]]


def test_models_are_listed_with_their_parameters(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("gpt2", "mixtral-8x7b")
    monkeypatch.setattr("specs.model.model_names", lambda: names)
    both = "specs.encoder_decoders.reading.encoder_decoder_names"
    monkeypatch.setattr(both, lambda: ())
    models_command(as_json=True)
    gpt2, mixtral = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in (gpt2, mixtral)] == [*names]
    assert mixtral["active_parameters"] == 12_879_925_248
    assert mixtral["kv_bytes_per_position"] == 131_072


def test_models_of_files_are_shown_with_what_is_to_know_of_them(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "mine.json"
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    sizes["num_key_value_heads"] = 4
    path.write_text(json.dumps({"model_type": "gemma", **sizes}), encoding="utf-8")
    models_command(files=[str(path), "gpt2"])
    titles, _units, mine, gpt2, remark = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in (titles, mine, gpt2)] == [
        "name",
        "mine",
        "gpt2",
    ]
    assert remark.startswith("mine: as GemmaConfig of transformers 5.23, not in the")
    models_command(files=["gpt2"], as_json=True)
    (document,) = json.loads(capsys.readouterr().out)
    assert document["fewest_chips"] == 1


def test_all_models_are_a_table_with_the_families_below_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("bert-base", "gpt2", "gpt2-xl")
    monkeypatch.setattr("specs.model.model_names", lambda: names)
    both = "specs.encoder_decoders.reading.encoder_decoder_names"
    monkeypatch.setattr(both, lambda: ("t5-small",))
    models_command()
    table, notes = capsys.readouterr().out.split("\n\n")
    titles, _units, *rows = table.splitlines()
    assert [line.split()[0] for line in (titles, *rows)] == ["name", *names, "t5-small"]
    assert rows[-1].split()[2] == "0.06"
    assert "families: arcee, bert, " in notes
    assert "t5, whisper" in notes


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


def test_output_that_is_piped_has_no_blanks_at_the_ends_of_lines(
    groqrack: Groqrack,
) -> None:
    done = groqrack("topology", "--chips", "72")
    assert done.returncode == 0
    assert not [line for line in done.stdout.splitlines() if line != line.rstrip()]


def test_the_version_is_that_of_the_distribution(groqrack: Groqrack) -> None:
    assert groqrack("--version").stdout == f"groqrack-fabric {VERSION}\n"
