"""The printed table of an experiment, and its options and files."""

import sys
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from experiments.harness.experiment_script import run_script, terminal_table


def experiment(
    seed: int, quick: bool
) -> tuple[pd.DataFrame, Figure, dict[str, pd.DataFrame]]:
    table = pd.DataFrame({"seed": [seed], "quick": [quick]})
    return table, Figure(figsize=(1, 1)), {"more": table}


def test_shown_columns_are_in_order_under_their_headings() -> None:
    table = pd.DataFrame({"a": [1, 2], "b": [0.25, 1234.5], "c": ["x", "y"]})
    lines = terminal_table(table, {"c": "name", "b": "us"}).splitlines()
    assert [line.split() for line in lines] == [
        ["name", "us"],
        ["x", "0.2"],
        ["y", "1,234.5"],
    ]


def test_a_missing_whole_number_is_a_dash() -> None:
    table = pd.DataFrame({"a": pd.array([1, None], dtype="Int64")})
    assert terminal_table(table, {"a": "a"}).split() == ["a", "1", "-"]


def test_refused_rows_are_counted_and_the_first_reason_stands_below() -> None:
    table = pd.DataFrame(
        {"us": [1.0, None], "feasible": [True, False], "reason": ["", "no room"]}
    )
    printed = terminal_table(table, {"us": "us"})
    assert printed.splitlines()[:3] == [" us", "1.0", "  -"]
    assert printed.endswith(
        "\n\n-: refused, 1 of 2 points; the CSV has each reason, such as\nno room"
    )


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
