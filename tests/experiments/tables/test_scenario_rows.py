"""Rows of a comparison: latency and breakdown, or a refusal."""

import math

import pytest

from experiments.run.scenario import Run
from experiments.tables.scenario_rows import (
    best_strategy_row,
    latency_columns,
    scenario_row,
)
from specs.scenario import Scenario


def test_a_refused_scenario_has_its_reason_and_no_numbers() -> None:
    refused = scenario_row(Scenario(chips=8, strategy="tensor=8"))
    assert refused.keys() == {"chips", "strategy", "feasible", "reason"}
    assert not refused["feasible"]
    assert "lacks" in refused["reason"]


def test_a_row_has_the_latency_of_its_run(
    small_run: Run, small_scenario: Scenario
) -> None:
    row = scenario_row(small_scenario)
    assert row == {
        "chips": 24,
        "strategy": "tensor=5,pipeline=4",
        "feasible": True,
        **latency_columns(small_run),
        "reason": "",
    }


def test_causes_sum_to_the_latency_and_a_user_waits_for_nothing_else(
    small_run: Run,
) -> None:
    columns = latency_columns(small_run)
    causes = small_run.breakdown._fields
    latency_us = columns["latency_us"]
    # The schedule is in nominal cycles, the run in those of the leader's crystal.
    total_us = math.fsum(columns[f"{cause}_us"] for cause in causes)
    assert total_us == pytest.approx(latency_us, rel=1e-4)
    assert columns["tokens_per_s_per_user"] == pytest.approx(1e6 / latency_us)
    assert columns["slowest_stage_us"] < latency_us
    assert columns["violations"] == 0


def test_the_best_strategy_is_no_slower_than_the_given_one(
    small_scenario: Scenario, small_run: Run
) -> None:
    alone = small_scenario.model_copy(update={"sequences": 1, "chips": 8})
    best = best_strategy_row(alone)
    assert best["feasible"]
    assert best["strategy"] != alone.strategy
    assert 1 <= best["chips_used"] <= 8
    assert best["racks_used"] == 1
    assert 0 <= best["gap"] < 1
    assert best["latency_us"] <= latency_columns(small_run)["latency_us"]


def test_no_strategy_of_too_few_chips_is_a_refusal() -> None:
    scenario = Scenario(model="llama-2-70b", chips=8)
    row = best_strategy_row(scenario)
    assert (row["chips"], row["strategy"], row["feasible"]) == (8, "auto", False)
    assert "chips" in row["reason"]
