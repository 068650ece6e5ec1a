from dataclasses import replace

import numpy as np
import pandas as pd

from experiments.report.records import LatencyDistribution, PlanFacts, TokenRates
from experiments.report.run_summary import latency_distribution, summarise
from experiments.run.scenario import Run


def test_keys_of_a_strategy_stand_between_its_name_and_its_size() -> None:
    plan = PlanFacts(
        strategy="column=2,row=1",
        split={"column": 2, "row": 1},
        chips_used=2,
        fullest_chip_bytes=10,
        sram_bytes_per_chip=20,
    )
    assert list(plan.document().items()) == [
        ("strategy", "column=2,row=1"),
        ("column", 2),
        ("row", 1),
        ("chips_used", 2),
        ("fullest_chip_bytes", 10),
        ("sram_bytes_per_chip", 20),
    ]


def test_a_model_that_delivers_nothing_has_rates_and_latencies_of_null(
    small_run: Run,
) -> None:
    facts = summarise(small_run)
    iteration = replace(facts.iteration, count=0, latency_ns=None)
    document = replace(facts, token=None, iteration=iteration).document()
    assert set(document["token"].values()) == {None}
    assert set(document["iteration"]["latency_ns"].values()) == {None}
    assert list(document) == list(facts.document())


def test_a_workload_has_no_rates_and_no_model(small_run: Run) -> None:
    facts = replace(summarise(small_run), model=None, token=None)
    assert not {"model", "token", "prefill", "buckets"} & facts.document().keys()


def test_a_distribution_is_of_latencies_in_nanoseconds() -> None:
    tokens = pd.DataFrame({"latency_ps": [1_000, 2_000, 6_000]})
    assert latency_distribution(tokens["latency_ps"].to_numpy()) == LatencyDistribution(
        min=1.0, p50=2.0, p99=5.92, max=6.0, mean=3.0
    )
    assert latency_distribution(np.array([], np.int64)) is None


def test_rates_of_a_run_are_of_one_user_and_of_all(small_run: Run) -> None:
    token = summarise(small_run).token
    assert isinstance(token, TokenRates)
    assert token.tokens_per_s_pipeline == 2 * token.tokens_per_s_per_user
