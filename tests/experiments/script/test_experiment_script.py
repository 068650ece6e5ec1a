"""The options of an experiment script and the files that it leaves."""

import sys
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from experiments.script.experiment_script import run_script


def experiment(
    seed: int, quick: bool
) -> tuple[pd.DataFrame, Figure, dict[str, pd.DataFrame]]:
    table = pd.DataFrame({"seed": [seed], "quick": [quick]})
    return table, Figure(figsize=(1, 1)), {"more": table}


def test_a_script_leaves_its_tables_and_its_figure_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["x", "--quick", "--seed=7", f"--out={tmp_path}"])
    run_script("x", "Does it run?", experiment, {"seed": "seed"})
    names = ["x.csv", "x_more.csv", "x.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert (tmp_path / "x.csv").read_text() == "seed,quick\n7,True\n"
    wrote = " and ".join(str(tmp_path / name) for name in names)
    assert capsys.readouterr().out.endswith(f"\nwrote {wrote}\n")


def test_a_script_may_leave_a_page_of_its_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["x", f"--out={tmp_path}"])

    def page(table: pd.DataFrame) -> str:
        return f"# {len(table)} row\n"

    run_script("x", "Does it run?", experiment, {"seed": "seed"}, page=page)
    assert (tmp_path / "x.md").read_text() == "# 1 row\n"
