import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from experiments import link_characterisation
from experiments.analysis.round_trips import EXCHANGES, TABLE_2, half_round_trips
from experiments.harness.experiment_script import run_script


@pytest.mark.parametrize("seed", [1, 2])
def test_every_link_has_the_published_mean_and_deviation(seed: int) -> None:
    halves = half_round_trips(seed, EXCHANGES)
    mean = np.array([row.mean for row in TABLE_2])
    deviation = np.array([row.deviation for row in TABLE_2])
    assert np.abs(halves.mean(axis=0) - mean).max() < 0.05
    assert np.abs(halves.std(axis=0) - deviation).max() < 0.03


def test_least_and_most_come_out_near_the_published_ones() -> None:
    halves = half_round_trips(1, EXCHANGES)
    least = np.array([row.least for row in TABLE_2])
    most = np.array([row.most for row in TABLE_2])
    assert np.abs(halves.min(axis=0) - least).max() <= 2
    assert np.abs(halves.max(axis=0) - most).max() <= 2


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
