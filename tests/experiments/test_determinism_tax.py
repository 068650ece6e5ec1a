from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.image import imread

from experiments import determinism_tax
from experiments.plots.determinism_tax import CODES, PARTS
from experiments.run.preparation import compile_scenario
from fabric.replay import replay
from specs.scenario import Scenario

Experiment = Callable[..., str]


@pytest.fixture(scope="module")
def left(
    experiment: Experiment, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """Return the folder that a quick run left, and what it printed."""
    folder = tmp_path_factory.mktemp("tax")
    return folder, experiment("determinism_tax", "--quick", "--out", folder)


@pytest.fixture(scope="module")
def table(left: tuple[Path, str]) -> pd.DataFrame:
    return pd.read_csv(left[0] / "determinism_tax.csv")


def test_it_leaves_a_table_and_a_picture_and_prints_80_columns(
    left: tuple[Path, str], table: pd.DataFrame
) -> None:
    folder, printed = left
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["determinism_tax.csv", "determinism_tax.png"]
    assert imread(folder / "determinism_tax.png").ndim == 3
    assert determinism_tax.SHOWN.keys() <= set(table.columns)
    assert max(map(len, printed.split("\nwrote ")[0].splitlines())) <= 80


def test_the_parts_sum_to_what_a_token_takes_beyond_the_ideal(
    table: pd.DataFrame,
) -> None:
    parts = table[[f"{part}_us" for part in PARTS]].sum(axis="columns")
    assert parts.to_numpy() == pytest.approx(table["tax_us"].to_numpy())
    total = table["ideal_us"] + table["tax_us"]
    assert total.to_numpy() == pytest.approx(table["latency_us"].to_numpy())
    # What no part explains are other ways of the same messages.
    assert (table["other_us"].abs() < 0.01 * table["latency_us"]).all()


def test_every_split_pays_for_jitter_counters_and_drift(table: pd.DataFrame) -> None:
    for part in ("guard_jitter", "guard_counter", "guard_drift"):
        assert (table[f"{part}_us"] > 0).all()
    assert table["code"].tolist() == [*CODES, *CODES]
    none_us, secded_us, rs544_us = (
        table.loc[table["code"] == code, "tax_us"].to_numpy() for code in CODES
    )
    assert (none_us <= secded_us).all()
    assert (secded_us < rs544_us).all()
    # The wider split has more hops in a row.
    hops = table.groupby("tensor")["hops"].min()
    assert hops.is_monotonic_increasing


def test_runs_take_as_long_as_their_schedules(table: pd.DataFrame) -> None:
    assert (table["simulated_violations"] == 0).all()
    # Cycles are the leader's; a few more are what deskews add or take away.
    by_leader_us = table["latency_us"] / (1 + table["leader_ppm"] / 1e6)
    off_us = table["simulated_us"] - by_leader_us
    assert off_us.abs().max() < 0.1
    # Five levels of the tree, two epochs each: over the cables between racks a start
    # arrives in the second one.
    assert (table["start_epochs"] == 10).all()
    assert table["start_us"].to_numpy() == pytest.approx(0.28 * 10, abs=0.05)


def test_a_run_of_ideal_clocks_takes_the_ideal_time_to_the_picosecond(
    table: pd.DataFrame,
) -> None:
    scenario = Scenario(strategy="tensor=8,pipeline=72")
    settings = determinism_tax.ideal_settings(scenario)
    prepared, schedule = compile_scenario(
        scenario.model_copy(update={"settings": settings})
    )
    result = replay(
        schedule.program, prepared.topology, prepared.machine, seed=1, tokens=1
    )
    (row,) = result.iterations
    ideal_us = table.loc[table["tensor"] == 8, "ideal_us"]
    assert (row.end_ps - row.start_ps) / 1e6 == pytest.approx(
        ideal_us.iloc[0], abs=1e-6
    )
