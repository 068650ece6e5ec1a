import sys
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.image import imread

from experiments import scheduled_vs_reactive
from experiments.script.experiment_script import run_script


def test_the_script_leaves_the_table_and_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["it", "--quick", "--out", str(tmp_path)])
    run_script(
        "scheduled_vs_reactive",
        "?",
        scheduled_vs_reactive.experiment,
        scheduled_vs_reactive.SHOWN,
        digits=0,
    )
    table = pd.read_csv(tmp_path / "scheduled_vs_reactive.csv")
    exchanges = table[table["traffic"] == "exchange"]
    assert exchanges["machine"].tolist() == [
        *(["scheduled", "reactive 16", "reactive 31"] * 2)
    ]
    assert (table["p50_ns"] <= table["p99_ns"]).all()
    assert (table["p99_ns"] <= table["max_ns"]).all()
    assert imread(tmp_path / "scheduled_vs_reactive.png").ndim == 3
    printed = capsys.readouterr().out.split("\nwrote ")[0].splitlines()
    assert len(printed) == 1 + len(table)
    assert max(len(line) for line in printed) <= 80
