"""Cost of a failover by part, on a small model whose chip stops."""

import pytest

from experiments.run.scenario import Run, run_scenario
from experiments.tables.failover_costs import (
    FaultCase,
    failover_costs,
    tokens_by_cause,
)
from fabric.results.result import FAILOVER_PARTS
from specs.scenario import Scenario

CASE = FaultCase("chip stops", "chip", spares=2, sequences=2)


@pytest.fixture(scope="module")
def moved(small_scenario: Scenario, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run whose chip 2 stops at 30 us, with two spare nodes."""
    path = tmp_path_factory.mktemp("faults") / "faults.toml"
    path.write_text('[[fault]]\nkind = "chip-stops"\nat_us = 30\nchip = 2\n')
    settings = {"spares": "2", "link.ber": "0"}
    update = {"settings": settings, "faults": str(path), "engine": "replay"}
    return run_scenario(small_scenario.model_copy(update=update))


def test_parts_of_a_failover_sum_to_its_total(moved: Run) -> None:
    row = failover_costs(moved, CASE)
    parts = [row[f"{part}_us"] for part in ("damaged", "drain", *FAILOVER_PARTS)]
    assert min(parts) >= 0
    assert sum(parts) == pytest.approx(row["total_us"])
    (failover,) = moved.result.failovers
    assert row["bad_node"] == failover.bad_node == 0
    assert row["load_us"] == failover.load_ps / 1e6
    assert (row["tokens_wanted"], row["tokens_missing"], row["reason"]) == (6, 0, "")


def test_the_fullest_chip_is_loaded_at_the_rate_of_its_host(moved: Run) -> None:
    row = failover_costs(moved, CASE)
    fullest_bytes = row["fullest_program_bytes"] + row["fullest_weight_bytes"]
    # 10^9 B/s are 10^3 B/us.
    expected_us = fullest_bytes / row["host_gb_per_s"] / 1e3
    assert row["load_us"] == pytest.approx(expected_us, rel=1e-3)


def test_causes_of_a_token_sum_to_its_latency(moved: Run) -> None:
    table = tokens_by_cause(moved, CASE)
    causes = table[["schedule_us", "replay_us", *(f"{p}_us" for p in FAILOVER_PARTS)]]
    assert causes.sum(axis="columns").tolist() == pytest.approx(
        table["latency_us"].tolist()
    )
    assert table["begin_us"].min() == 0
    loaded = table["load_us"] > 0
    # One token of each sequence waits for the load and the start.
    assert sorted(table.loc[loaded, "sequence"]) == [0, 1]
    assert (table["start_us"] > 0).equals(loaded)


def test_a_run_without_faults_costs_nothing_and_misses_nothing(small_run: Run) -> None:
    row = failover_costs(small_run, FaultCase("none", "link", spares=0, sequences=2))
    assert row["tokens_delivered"] == row["tokens_wanted"] == 6
    assert row["which"] == row["reason"] == ""
    assert "total_us" not in row
    table = tokens_by_cause(small_run, CASE)
    assert table["schedule_us"].tolist() == table["latency_us"].tolist()
