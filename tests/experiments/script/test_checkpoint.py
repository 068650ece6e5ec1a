import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from experiments.script.checkpoint import Checkpoint
from experiments.script.experiment_script import Resumable, run_script
from experiments.sweep.result_store import ResultStore
from experiments.tables.columns import TableRow
from specs.scenario import Scenario


@pytest.fixture
def checkpoint() -> Iterator[Checkpoint]:
    with ResultStore(None) as ledger:
        yield Checkpoint(ledger)


def tenth(number: int) -> TableRow:
    CALLED.append(number)
    if len(CALLED) == 3:
        raise KeyboardInterrupt
    return {"number": number, "tenth": number / 10, "reason": ""}


CALLED: list[int] = []


@Resumable
def experiment(
    seed: int, quick: bool, checkpoint: Checkpoint
) -> tuple[pd.DataFrame, Figure]:
    rows = [
        checkpoint.result(tenth, number) for number in range(seed, 4 if quick else 6)
    ]
    return pd.DataFrame(rows), Figure()


def test_what_was_asked_before_is_not_computed_again(checkpoint: Checkpoint) -> None:
    CALLED.clear()
    assert checkpoint.result(tenth, 3) == {"number": 3, "tenth": 0.3, "reason": ""}
    assert checkpoint.result(tenth, 3) == {"number": 3, "tenth": 0.3, "reason": ""}
    assert checkpoint.result(tenth, 4)["tenth"] == 0.4
    assert CALLED == [3, 4]
    assert (checkpoint.known, checkpoint.asked) == (1, 3)


def test_scenarios_are_told_apart_by_all_that_they_say(checkpoint: Checkpoint) -> None:
    def chips(scenario: Scenario) -> TableRow:
        return {"chips": scenario.chips, "seed": scenario.seed}

    scenarios = [Scenario(seed=seed, chips=n) for seed in (1, 2) for n in (8, 16)]
    for scenario in scenarios + scenarios:
        row = checkpoint.result(chips, scenario)
        assert row == {"chips": scenario.chips, "seed": scenario.seed}
    assert checkpoint.known == len(scenarios)


def test_an_interrupted_experiment_goes_on_and_ends_as_if_undisturbed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(folder: Path) -> None:
        monkeypatch.setattr(sys, "argv", ["tenths", "--out", str(folder)])
        run_script("tenths", "Is it so?", experiment, {"tenth": "tenth"})

    broken, whole = tmp_path / "broken", tmp_path / "whole"
    CALLED.clear()
    with pytest.raises(SystemExit) as stop:
        run(broken)
    assert stop.value.code == 130
    assert "kept in" in capsys.readouterr().err
    assert [path.name for path in broken.iterdir()] == ["tenths.kept"]
    run(broken)
    assert "2 parts were kept from a run that was interrupted" in (
        capsys.readouterr().out
    )
    # The third was lost while it ran, and is the only one that ran twice.
    assert CALLED == [1, 2, 3, 3, 4, 5]
    run(whole)
    assert "parts were kept" not in capsys.readouterr().out
    assert CALLED == [1, 2, 3, 3, 4, 5, 1, 2, 3, 4, 5]
    for folder in (broken, whole):
        names = sorted(path.name for path in folder.iterdir())
        assert names == ["tenths.csv", "tenths.png"]
    results = [(folder / "tenths.csv").read_bytes() for folder in (broken, whole)]
    assert results[0] == results[1]


def test_an_experiment_called_from_python_keeps_nothing(tmp_path: Path) -> None:
    CALLED[:] = [0, 0, 0]
    table, _ = experiment(1, True)
    assert table["number"].tolist() == [1, 2, 3]
    assert list(tmp_path.iterdir()) == []


def test_two_runs_do_not_keep_in_one_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keep = tmp_path / "tenths.kept"
    keep.mkdir()
    monkeypatch.setattr(sys, "argv", ["tenths", "--out", str(tmp_path)])
    with ResultStore(keep / "ledger.sqlite"), pytest.raises(SystemExit) as stop:
        run_script("tenths", "Is it so?", experiment)
    assert stop.value.code == 2
    assert "wait for it" in capsys.readouterr().err
