"""Measurements of requests: latencies under load, its energy and cost, batches."""

from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from experiments.audit.measure import Measure
from experiments.cost.cost_of_load import cost_of
from experiments.cost.equal_servers import (
    equal_power_servers,
    server_step_law,
    server_tdp_w,
)
from experiments.cost.load import Load, frame_load, pipeline_load, traffic_load
from experiments.run.preparation import plan_scenario
from experiments.run.scenario_inputs import scenario_of
from experiments.service.fleet_of import PreparedFleet, prepare_fleet
from experiments.service.traffic_cases import LARGE, SIZES, traffic_content
from experiments.service.traffic_run import TrafficRun, run_traffic
from serving.traffic_file import TrafficFile, traffic_file
from specs.cost import load_costs
from specs.units import PS_PER_S

_SEED, _REQUESTS, _RATE_PER_S = 1, 5000, 11
# Of equal requests: as many as 27 slots can take are 30 a second.
_FULL_RATE_PER_S = 29
_8B: dict[str, Any] = {
    "model": "llama-3-8b",
    "chips": 72,
    "strategy": "tensor=8,pipeline=9",
    "context": 4000,
    "seed": _SEED,
    "frame": {"slots": 8, "windows": 2, "chunk_tokens": 16},
    "traffic": {
        "rate_per_s": 10,
        "requests": _REQUESTS,
        "prompt": {"kind": "lognormal", "median": 700, "sigma": 0.9, "max": 3000},
        "output": {"kind": "lognormal", "median": 150, "sigma": 0.9, "max": 900},
    },
}
# The requests of a benchmark: all alike.
_EQUAL = {"prompt": {"tokens": 500}, "output": {"tokens": 200}}
_MOST_BATCH = 64
# Users that the chips have room for at that context, and fewer.
SLOTS, _FEWER = SIZES[LARGE["model"]][0], 20
# A token that is so much slower is still as fast.
_SAME = 0.99


def _content() -> dict[str, Any]:
    """Return the traffic of a 70B at 11 requests/s, 42 % of what there is."""
    content = traffic_content(LARGE, _SEED, _REQUESTS)
    return {**content, "traffic": {**content["traffic"], "rate_per_s": _RATE_PER_S}}


@cache
def _fleet() -> PreparedFleet:
    """Return the 70B's fleet."""
    return prepare_fleet(traffic_file(_content(), "claims"))


@cache
def _loaded() -> TrafficRun:
    """Return the run of the 70B's traffic."""
    return run_traffic(traffic_file(_content(), "claims"), prepared=_fleet())


@cache
def _8b() -> TrafficRun:
    """Return the run of the 8B's traffic."""
    return run_traffic(traffic_file(_8B, "claims"))


def _equal_requests(**traffic: Any) -> pd.DataFrame:
    """Return the records of requests that are all alike, on the 70B's fleet."""
    content = _content()
    of = {"requests": 500, **_EQUAL, **traffic}
    file: TrafficFile = traffic_file({**content, "traffic": of}, "claims")
    return run_traffic(file, prepared=_fleet()).records


def _spread(measure: str, **traffic: Any) -> float:
    """Return P99 over P50 of a latency of equal requests."""
    times = _equal_requests(**traffic)[f"{measure}_ps"].to_numpy()
    median, slowest = np.percentile(times, (50, 99))
    return float(slowest / median)


def _rate_variation(records: pd.DataFrame) -> float:
    """Return the deviation of tokens/s of requests over their mean, queue included."""
    rates = records["output_tokens"].to_numpy() / records["e2el_ps"].to_numpy()
    return float(rates.std() / rates.mean())


def _alone() -> float:
    """Return the variation with one user who waits for each answer."""
    return _rate_variation(_equal_requests(arrivals="closed", max_concurrency=1))


def _together(rate_per_s: float) -> float:
    """Return the variation at a rate of requests."""
    return _rate_variation(_equal_requests(rate_per_s=rate_per_s))


def _ttft_s(run: TrafficRun, percentile: int) -> float:
    """Return a percentile of the time to the first token, in s."""
    return float(run.summary[f"p{percentile}_ttft_ms"]) / 1e3


def _long_prompt_s() -> float:
    """Return the time to the first token of a long prompt, with nobody else."""
    records = _equal_requests(
        arrivals="closed", max_concurrency=1, requests=20, prompt={"tokens": 3000}
    )
    return float(np.median(records["ttft_ps"])) / PS_PER_S


def _joules(load: Load | None) -> float | None:
    """Return the energy of chips and optics over tokens of answers, in J."""
    if load is None or load.average_power_w is None:
        return None
    return load.average_power_w / load.output_tokens_per_s


@cache
def _decode_tokens_per_s(users: int) -> float:
    """Return the tokens/s of users together who decode on the 70B, without prompts."""
    scenario = scenario_of({**LARGE, "sequences": users}, "claims")
    return pipeline_load(plan_scenario(scenario)).output_tokens_per_s


def _sequences_at_full_speed() -> float:
    """Return the sequences in flight that each decode as fast as one alone."""
    alone = _decode_tokens_per_s(1)
    for users in (SLOTS, _FEWER, 1):
        if _decode_tokens_per_s(users) / users > _SAME * alone:
            return float(users)
    return 0.0


def _server_tokens_per_s(batch: int) -> float:
    """Return the tokens/s of a server of eight H100 by the step law."""
    law = server_step_law()
    return batch / (law.step_us + law.sequence_us * batch) * 1e6


def _gpu_over_lpu(servers: int) -> float:
    """Return tokens/s of servers with full batches over those of the chips."""
    return servers * _server_tokens_per_s(_MOST_BATCH) / _decode_tokens_per_s(SLOTS)


def _equal_power() -> int:
    """Return the servers of the chips' power."""
    return equal_power_servers(LARGE["chips"])


def _winning_batch(servers: int) -> float | None:
    """Return the least batch of each server that beats the chips, None if none does."""
    ours = _decode_tokens_per_s(SLOTS)
    for batch in range(1, server_step_law().most_sequences + 1):
        if servers * _server_tokens_per_s(batch) > ours:
            return float(batch)
    return float("inf")


def _gpu_joules(batch: int) -> float:
    """Return the energy of a token of a server at thermal design power, in J."""
    return server_tdp_w() / _server_tokens_per_s(batch)


def _dollars(load: Load | None, end: int) -> float | None:
    """Return the known cost of a million tokens of answers at a load, in $."""
    if load is None:
        return None
    known = cost_of(load, load_costs()).known.output_usd_per_m_tokens
    return None if known is None else known[end]


def _spread_measure(measure: str, text: str) -> Measure:
    """Return the measurement of the spread of a latency."""
    return Measure(text, lambda: _spread(measure, rate_per_s=_RATE_PER_S), long=True)


_LOAD = f"at {_RATE_PER_S} requests/s"
TRAFFIC_MEASURES: dict[str, Measure] = {
    "tpot_p99_over_p50": _spread_measure("tpot", f"time per token {_LOAD}"),
    "ttft_p99_over_p50": _spread_measure("ttft", f"first token {_LOAD}"),
    "e2el_p99_over_p50": _spread_measure("e2el", f"whole answer {_LOAD}"),
    "e2el_p99_over_p50_alone": Measure(
        "whole answer, nobody else",
        lambda: _spread("e2el", arrivals="closed", max_concurrency=1),
        long=True,
    ),
    "rate_variation_alone": Measure("one user", _alone, long=True),
    "rate_variation_loaded": Measure(_LOAD, lambda: _together(_RATE_PER_S), long=True),
    "rate_variation_full": Measure(
        f"at {_FULL_RATE_PER_S} requests/s, nearly all that there is",
        lambda: _together(_FULL_RATE_PER_S),
        long=True,
    ),
    "ttft_p50_70b": Measure(
        f"median {_LOAD}, prompts of 700", lambda: _ttft_s(_loaded(), 50), long=True
    ),
    "ttft_p99_70b": Measure(
        "slowest percent of them", lambda: _ttft_s(_loaded(), 99), long=True
    ),
    "ttft_long_prompt_70b": Measure(
        "prompt of 3,000, nobody else", _long_prompt_s, long=True
    ),
    "ttft_p50_8b": Measure(
        "median on 72 chips at 10 requests/s", lambda: _ttft_s(_8b(), 50), long=True
    ),
    "ttft_p99_8b": Measure(
        "slowest percent of them", lambda: _ttft_s(_8b(), 99), long=True
    ),
    "joules_70b_load": Measure(
        f"70B {_LOAD}, prompts included",
        lambda: _joules(traffic_load(_loaded())),
        long=True,
    ),
    "joules_70b_full": Measure(
        "70B, full frames", lambda: _joules(frame_load(_fleet())), long=True
    ),
    "joules_8b_full": Measure(
        "8B on 72 chips, full frames",
        lambda: _joules(frame_load(_8b().prepared)),
        long=True,
    ),
    "sequences_at_full_speed": Measure(
        "70B, context 4,000", _sequences_at_full_speed, long=True
    ),
    "throughput_27_over_20": Measure(
        "70B, no prompts",
        lambda: _decode_tokens_per_s(SLOTS) / _decode_tokens_per_s(_FEWER),
        long=True,
    ),
    "gpu_over_lpu_one_server": Measure(
        "one server", lambda: _gpu_over_lpu(1), long=True
    ),
    "gpu_over_lpu_equal_power": Measure(
        "servers of equal power", lambda: _gpu_over_lpu(_equal_power()), long=True
    ),
    "gpu_batch_that_wins_one_server": Measure(
        "one server", lambda: _winning_batch(1), long=True
    ),
    "gpu_batch_that_wins_equal_power": Measure(
        "servers of equal power, each",
        lambda: _winning_batch(_equal_power()),
        long=True,
    ),
    "lpu_over_gpu_one_user": Measure(
        "no prompts",
        lambda: _decode_tokens_per_s(1) / _server_tokens_per_s(1),
        long=True,
    ),
    "h100_70b_step_law_1": Measure("one sequence", lambda: _server_tokens_per_s(1)),
    "h100_70b_step_law_64": Measure(
        "each of 64 sequences", lambda: _server_tokens_per_s(64) / 64
    ),
    "h100_joules_one_user": Measure("one sequence", lambda: _gpu_joules(1)),
    "h100_joules_two_users": Measure("two sequences", lambda: _gpu_joules(2)),
    "h100_joules_batch_64": Measure("64 sequences", lambda: _gpu_joules(64)),
    "dollars_out_cheapest": Measure(
        f"cheapest reading, {_LOAD}",
        lambda: _dollars(traffic_load(_loaded()), 0),
        long=True,
    ),
    "dollars_out_dearest": Measure(
        f"dearest reading, {_LOAD}",
        lambda: _dollars(traffic_load(_loaded()), 1),
        long=True,
    ),
    "dollars_out_full_cheapest": Measure(
        "cheapest reading, full frames",
        lambda: _dollars(frame_load(_fleet()), 0),
        long=True,
    ),
    "dollars_out_full_dearest": Measure(
        "dearest reading, full frames",
        lambda: _dollars(frame_load(_fleet()), 1),
        long=True,
    ),
}
