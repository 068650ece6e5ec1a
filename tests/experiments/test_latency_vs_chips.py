import sys
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from experiments.latency_vs_chips import COLUMNS, experiment, shown_names
from experiments.script.checkpoint import Checkpoint
from experiments.script.experiment_script import (
    NO_SUBJECT,
    Choosable,
    Subject,
    run_script,
)


def ask(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", ["latency_vs_chips", *map(str, words)])
    run_script("latency_vs_chips", "Why?", experiment, COLUMNS)


def test_a_model_and_a_wiring_of_ones_own_are_asked_about(
    tiny_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = tmp_path / "ring.csv"
    rows = "".join(f"{chip},{(chip + 1) % 5}\n" for chip in range(5))
    ring.write_text("source,target\n" + rows)
    subject = ("--model", tiny_config, "--topology", ring)
    out = ("--quick", "--chips", "2,5,6", "--out", tmp_path)
    ask(monkeypatch, *subject, *out)
    table = pd.read_csv(tmp_path / "latency_vs_chips.csv").set_index("chips")
    # The ring has five chips.
    assert table["feasible"].to_dict() == {2: True, 5: True, 6: False}
    assert "6 chips asked for, but it has 5" in str(table.loc[6, "reason"])
    assert table.loc[5, "strategy"] == "tensor=1,pipeline=1"
    assert (tmp_path / "latency_vs_chips.png").exists()


def test_wirings_of_ones_own_are_compared_at_each_number_of_chips(
    tiny_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wirings = ("--topology", "torus:2x4", "--topology", "hypercube:2")
    asked = ("--model", tiny_config, "--chips", "2,4,8", *wirings)
    ask(monkeypatch, *asked, "--quick", "--out", tmp_path)
    table = pd.read_csv(tmp_path / "latency_vs_chips.csv")
    fits = table.pivot_table(
        "feasible", "chips", "topology", aggfunc="all", observed=True
    )
    assert fits["torus:2x4"].tolist() == [True, True, True]
    # Two dimensions are four chips.
    assert fits["hypercube:2"].tolist() == [True, True, False]
    assert set(table["split"]) == {"best"}


def test_files_of_wirings_are_told_by_their_names_where_these_differ() -> None:
    assert shown_names(("rack", "a/torus.csv")) == {
        "rack": "rack",
        "a/torus.csv": "torus.csv",
    }
    same = ("a/torus.csv", "b/torus.csv")
    assert shown_names(same) == {name: name for name in same}


def test_numbers_of_chips_that_hold_nothing_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        ask(monkeypatch, "--model", "llama-2-7b", "--chips=1", "--out", tmp_path)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    # What it costs is known of its own question alone.
    assert said.startswith("error: no number of chips holds llama-2-7b; name others")
    with pytest.raises(SystemExit) as stop:
        ask(monkeypatch, "--chips=1,x", "--out", tmp_path)
    assert stop.value.code == 2
    assert "--chips 1,x: write whole numbers" in capsys.readouterr().err


def test_without_options_an_experiment_asks_its_own_question() -> None:
    def run(
        seed: int, quick: bool, _: Checkpoint, subject: Subject
    ) -> tuple[pd.DataFrame, Figure]:
        table = pd.DataFrame([{"seed": seed, "quick": quick, "asked": subject.chips}])
        return table, Figure()

    table, _ = Choosable(run)(7, True)
    assert table.to_dict("records") == [{"seed": 7, "quick": True, "asked": ()}]
    about = Subject(scenario={}, chips=(3,))
    table, _ = Choosable(run).about(about)(7, False)
    assert table["asked"].tolist() == [(3,)]
    assert NO_SUBJECT.scenario == {}
