import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from experiments import fec_errors
from experiments.run.preparation import compile_scenario
from experiments.script.experiment_script import run_script
from specs.scenario import Scenario


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the folder that a quick run left, and what it printed."""
    folder = tmp_path_factory.mktemp("fec")
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["fec_errors", "--quick", "--out", str(folder)])
        patch.setattr("builtins.print", lambda text: said.append(str(text)))
        run_script(
            "fec_errors",
            fec_errors.__doc__ or "",
            fec_errors.experiment,
            fec_errors.SHOWN,
        )
    return folder, "\n".join(said)


@pytest.fixture(scope="module")
def table(printed: tuple[Path, str]) -> pd.DataFrame:
    return pd.read_csv(printed[0] / "fec_errors.csv")


def test_it_leaves_a_table_and_a_picture_and_prints_80_columns(
    printed: tuple[Path, str], table: pd.DataFrame
) -> None:
    folder, text = printed
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["fec_errors.csv", "fec_errors.png"]
    assert imread(folder / "fec_errors.png").ndim == 3
    assert fec_errors.SHOWN.keys() <= set(table.columns)
    report = text.split("\nwrote ")[0]
    assert max(len(line) for line in report.splitlines()) <= 80
    assert "refused" not in report


def test_more_errors_damage_more_tokens_under_each_code_and_model(
    table: pd.DataFrame,
) -> None:
    groups = table.groupby(["code", "errors"])
    assert len(groups) == 4
    for _, part in groups:
        assert part["ber"].is_monotonic_increasing
        assert part["damaged_probability"].is_monotonic_increasing
        assert part["corrected_per_token"].is_monotonic_increasing
    damaged = table["damaged_probability"]
    often = damaged.between(1e-6, 0.9)
    per_replay = (1 - damaged) / damaged
    assert table.loc[often, "tokens_per_replay"].to_numpy() == pytest.approx(
        per_replay[often].to_numpy()
    )


def test_runs_meet_as_many_errors_as_the_closed_form_expects(
    table: pd.DataFrame,
) -> None:
    runs = table[table["simulated_replays"].notna()]
    assert len(runs) == 4
    assert runs["seed"].is_unique
    attempts, odds = runs["simulated_iterations"], runs["damaged_probability"]
    spread = np.sqrt(attempts * odds * (1 - odds))
    assert ((runs["simulated_replays"] - attempts * odds).abs() < 4 * spread).all()
    corrected = attempts * runs["corrected_per_token"]
    misses = (runs["simulated_corrected"] - corrected).abs()
    assert (misses < 4 * np.sqrt(corrected) + 1).all()


def test_the_tail_of_the_latency_is_the_replays(table: pd.DataFrame) -> None:
    runs = table[table["simulated_replays"].notna()]
    assert (runs["tokens_lost"] == 0).all()
    assert (runs["violations"] == 0).all()
    attempts = runs["max_us"] / runs["p50_us"]
    # Attempts follow each other without a gap but for the deskews in between.
    assert (attempts.round() >= 2).all()
    assert attempts.to_numpy() == pytest.approx(attempts.round().to_numpy(), rel=0.02)


def test_a_rate_that_damages_tokens_so_often_is_found_for_every_code() -> None:
    prepared, schedule = compile_scenario(Scenario(chips=352, strategy="tensor=8"))
    vectors = schedule.program.trains.vectors
    for code in fec_errors.CODES:
        for errors in fec_errors.LINES:
            machine = prepared.machine.with_settings(
                {"fec.code": code, "link.errors": errors}
            )
            ber = fec_errors.error_rate_of_damage(machine, vectors, 0.05)
            row = fec_errors.expected(machine, vectors, ber)
            assert row["damaged_probability"] == pytest.approx(0.05, rel=0.1)
