from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from experiments import failover
from experiments.failover import QUICK_HOST_GB_PER_S, QUICK_TOKENS

Experiment = Callable[..., str]
WAITS = ["detect_us", "load_us", "bring_up_us", "kv_us", "start_us"]
PARTS = ["damaged_us", "drain_us", *WAITS]


@pytest.fixture(scope="module")
def left(
    experiment: Experiment, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """Return the folder that a quick run left, and what it printed."""
    folder = tmp_path_factory.mktemp("failover")
    return folder, experiment("failover", "--quick", "--out", folder)


@pytest.fixture(scope="module")
def table(left: tuple[Path, str]) -> pd.DataFrame:
    return pd.read_csv(left[0] / "failover.csv")


@pytest.fixture(scope="module")
def tokens(left: tuple[Path, str]) -> pd.DataFrame:
    return pd.read_csv(left[0] / "failover_tokens.csv")


def test_it_leaves_two_tables_and_a_picture_and_prints_80_columns(
    left: tuple[Path, str], table: pd.DataFrame
) -> None:
    folder, printed = left
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["failover.csv", "failover.png", "failover_tokens.csv"]
    assert imread(folder / "failover.png").ndim == 3
    assert failover.SHOWN.keys() <= set(table.columns)
    assert max(map(len, printed.split("\nwrote ")[0].splitlines())) <= 80


def test_the_parts_of_a_failover_sum_to_it(table: pd.DataFrame) -> None:
    moved = table[table["spares"] == 1]
    assert len(moved) == len(QUICK_HOST_GB_PER_S) + 3
    assert moved[PARTS].sum(axis="columns").to_numpy() == pytest.approx(
        moved["total_us"].to_numpy()
    )
    assert (moved["attempts"] == 2).all()
    assert (moved["bad_node"] != moved["spare_node"]).all()
    assert (moved["violations"] == 0).all()
    # Two attempts, each as long as a token.
    assert moved["damaged_us"].to_numpy() == pytest.approx(
        2 * moved["token_before_us"].to_numpy(), rel=1e-4
    )
    # Only sequences in flight have to be waited for.
    assert (moved["drain_us"] > 0).tolist() == (moved["sequences"] > 1).tolist()
    # A chip that stops is waited for; all else is the same for both.
    stops = moved["scenario"] == "chip stops"
    detect_us = moved["detect_us"].to_numpy()
    assert (detect_us[stops] - detect_us[~stops].min()).tolist() == [10_000]
    # Sixteen epochs of 0.28 us for each of 256 exchanges at least, then tracking.
    assert (moved["bring_up_us"] > 0.28 * (16 * 256 + 512)).all()
    # Recomputed in more than a token's time, copied from mirrors in less.
    recomputed = moved["kv_cache"] == "recompute"
    assert (moved["kv_us"] > moved["token_before_us"]).tolist() == recomputed.tolist()
    before_us = moved["token_before_us"].to_numpy()
    assert before_us[~recomputed] > before_us[recomputed].min()
    # Two epochs for each of five levels, and the wait for the first epoch edge.
    assert moved["start_us"].between(10 * 0.28, 11.5 * 0.28).all()


def test_loading_takes_what_the_fullest_chip_needs_at_the_rate_of_its_host(
    table: pd.DataFrame,
) -> None:
    moved = table[table["spares"] == 1]
    needed = moved.filter(regex="^fullest_").sum(axis="columns")
    expected_us = needed / moved["host_gb_per_s"] / 1e3
    assert moved["load_us"].to_numpy() == pytest.approx(
        expected_us.to_numpy(), abs=1e-5
    )
    swept = moved[moved["scenario"] == "link dies"]
    assert swept["host_gb_per_s"].tolist() == list(QUICK_HOST_GB_PER_S)
    assert len(set(swept["damaged_us"])) == 1


def test_every_token_is_delivered_once_or_named_as_missing(
    table: pd.DataFrame, tokens: pd.DataFrame
) -> None:
    assert not tokens.duplicated(["scenario", "sequence", "token"]).any()
    for row in table.to_dict("records"):
        assert row["tokens_delivered"] + row["tokens_missing"] == row["tokens_wanted"]
        own = tokens[tokens["scenario"] == row["scenario"]]
        assert len(own) == row["tokens_delivered"]
    (alone,) = table[table["spares"] == 0].to_dict("records")
    first = alone["tokens_delivered"]
    assert alone["which"] == f"sequence 0: {first} to {QUICK_TOKENS - 1}"
    assert "no spare node left" in alone["reason"]
    assert (table.loc[table["spares"] == 1, "tokens_missing"] == 0).all()


def test_the_causes_of_a_token_sum_to_its_latency(tokens: pd.DataFrame) -> None:
    causes = tokens[["schedule_us", "replay_us", *WAITS]]
    latency_us = tokens["latency_us"].to_numpy()
    assert causes.sum(axis="columns").to_numpy() == pytest.approx(latency_us)
    alone = tokens[tokens["scenario"] == "link dies"]
    (slow,) = np.flatnonzero(alone["attempts"] > 1)
    assert (alone["load_us"] > 0).to_numpy().nonzero()[0].tolist() == [slow]
    assert alone["latency_us"].to_numpy().argmax() == slow
