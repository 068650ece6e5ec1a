import sys
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.image import imread

from experiments import link_characterisation
from experiments.script.experiment_script import run_script


def test_the_script_leaves_the_table_and_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["it", "--quick", "--out", str(tmp_path)])
    run_script(
        "link_characterisation",
        "?",
        link_characterisation.experiment,
        link_characterisation.SHOWN,
        digits=2,
    )
    table = pd.read_csv(tmp_path / "link_characterisation.csv")
    assert table["link"].tolist() == list("ABCDEFG")
    assert (table["mean_cycles"] - table["published_mean_cycles"]).abs().max() < 0.2
    assert imread(tmp_path / "link_characterisation.png").ndim == 3
    printed = capsys.readouterr().out.split("\nwrote ")[0].splitlines()
    assert printed[0].split() == [
        *("link", "min", "ours", "mean", "ours", "max", "ours", "std", "ours")
    ]
    assert printed[1].split()[:4:3] == ["A", "216.87"]
    assert max(len(line) for line in printed) <= 80
