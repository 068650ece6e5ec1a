"""The keys of ``groqrack simulate --json`` are a contract."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.report.energy_keys import ENERGY
from specs.scenario import Scenario

Groqrack = Callable[..., subprocess.CompletedProcess[str]]

LATENCY = {"min", "p50", "p99", "max", "mean"}
CAUSES = {"compute", "link", "guard", "alignment", "deskew", "fec", "wait"}
PLAN = {
    "strategy",
    "tensor",
    "pipeline",
    "data",
    "expert",
    "attention",
    "layout",
    "routing",
    "chips_used",
    "fullest_chip_bytes",
    "sram_bytes_per_chip",
}
SIMULATE: dict[str, set[str]] = {
    # What is said of a prompt stands there only if there is one.
    "inputs": set(Scenario.model_fields)
    - {"prompt", "prefill_chunk", "context_bucket"},
    "model": {"name", "layers", "parameters", "weight_bytes"},
    "machine": {
        "name",
        "topology",
        "clock_hz",
        "chips",
        "active_chips",
        "links",
        "diameter_hops",
        "mean_hops",
    },
    "plan": PLAN,
    "schedule": {
        "instructions",
        "trains",
        "vectors",
        "latency_cycles",
        "turn_cycles",
        "lower_bound_cycles",
        "certificate",
    },
    "iteration": {"count", "latency_ns", "breakdown_cycles"},
    "token": {
        "tokens_per_s_per_user",
        "tokens_per_s_pipeline",
        "time_to_first_token_ns",
    },
    "energy": set(ENERGY),
    "faults": {
        "error_model",
        "fec_corrected",
        "fec_uncorrectable",
        "replays",
        "failovers",
        "tokens_lost",
    },
    "violations": {"underflow", "overflow", "link_conflict"},
    "run": {
        "engine",
        "seed",
        "iterations",
        "events",
        "wall_s",
        "peak_rss_bytes",
        "realtime_factor",
        "trajectory_hash",
        "version",
    },
}
MEASURED = ("wall_s", "peak_rss_bytes", "realtime_factor")


def test_simulate_prints_the_documented_keys_and_nothing_else(
    groqrack: Groqrack, small: list[str]
) -> None:
    done = groqrack("simulate", *small, "--json")
    document: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert document["schema"] == "groqrack-fabric/simulate/1"
    missing = {
        f"{block}.{key}"
        for block, keys in SIMULATE.items()
        for key in keys - document[block].keys()
    }
    assert missing == set()
    assert document["iteration"]["latency_ns"].keys() == LATENCY
    assert document["iteration"]["breakdown_cycles"].keys() == {
        *CAUSES,
        "replay",
        "failover",
    }


def test_a_breakdown_sums_to_the_latency(groqrack: Groqrack, small: list[str]) -> None:
    document = json.loads(groqrack("simulate", *small, "--json").stdout)
    spent = document["iteration"]["breakdown_cycles"]
    assert sum(spent.values()) == document["schedule"]["latency_cycles"]
    assert (
        document["schedule"]["lower_bound_cycles"]
        <= document["schedule"]["latency_cycles"]
    )


def test_a_breakdown_with_replays_sums_to_the_mean_latency(
    groqrack: Groqrack, small: list[str]
) -> None:
    damaged = [*small, "--set", "link.ber=1e-5", "--tokens", "40", "--engine", "replay"]
    document = json.loads(groqrack("simulate", *damaged, "--json").stdout)
    spent = document["iteration"]["breakdown_cycles"]
    mean_ns = document["iteration"]["latency_ns"]["mean"]
    assert document["faults"]["replays"] > 0
    assert spent["replay"] > 0
    # A crystal is up to 50 ppm off the nominal clock.
    assert sum(spent.values()) == pytest.approx(mean_ns * 0.9, rel=1e-4)


@pytest.mark.parametrize("model", ["independent", "bursts"])
def test_a_run_says_which_error_model_it_had(
    groqrack: Groqrack, small: list[str], model: str
) -> None:
    chosen = [*small, "--set", f"link.errors={model}", "--engine", "replay"]
    document = json.loads(groqrack("simulate", *chosen, "--json").stdout)
    assert document["faults"]["error_model"] == model
    (line,) = [
        line
        for line in groqrack("simulate", *chosen).stdout.splitlines()
        if line.startswith("errors ")
    ]
    assert model in line
    assert "1e-12" in line


def test_chips_that_never_deskew_get_no_certificate(
    groqrack: Groqrack, small: list[str]
) -> None:
    never = ["--set", "deskew.interval_epochs=0"]
    document = json.loads(groqrack("simulate", *small, *never, "--json").stdout)
    assert document["schedule"]["certificate"] is None
    refused = groqrack("verify", "--model=llama-2-7b", "--chips=72", *never)
    assert refused.returncode == 2
    assert "never deskews" in refused.stderr


def test_summary_json_is_what_json_prints(
    groqrack: Groqrack, small: list[str], tmp_path: Path
) -> None:
    printed = json.loads(
        groqrack("simulate", *small, "--json", "--out", tmp_path).stdout
    )
    assert json.loads((tmp_path / "summary.json").read_text()) == printed
    alone = json.loads(groqrack("simulate", *small, "--json").stdout)
    for document in (printed, alone):
        for key in MEASURED:
            del document["run"][key]
    assert alone == printed


def test_users_beyond_what_the_pipeline_holds_wait_for_their_turn(
    groqrack: Groqrack, small: list[str]
) -> None:
    crowded = [*small, "--sequences", "40", "--tokens", "3", "--engine", "replay"]
    document = json.loads(groqrack("simulate", *crowded, "--json").stdout)
    token, iteration = document["token"], document["iteration"]
    # A user's rate is below one token per latency, and all users' rate is theirs.
    assert token["tokens_per_s_per_user"] < 0.9e9 / iteration["latency_ns"]["mean"]
    assert token["tokens_per_s_pipeline"] == pytest.approx(
        40 * token["tokens_per_s_per_user"]
    )
    # What a user waits for is no part of a token.
    spent, schedule = iteration["breakdown_cycles"], document["schedule"]
    assert sum(spent.values()) == schedule["latency_cycles"]
    assert sum(spent.values()) == pytest.approx(
        iteration["latency_ns"]["mean"] * 0.9, rel=1e-4
    )
    every_cycles = schedule["latency_cycles"] + schedule["turn_cycles"]
    assert 0.9e9 / every_cycles == pytest.approx(
        token["tokens_per_s_per_user"], rel=1e-4
    )
    # As many tokens as that come out, but for the first filling of the pipeline.
    run = document["run"]
    simulated_s = run["realtime_factor"] * run["wall_s"]
    came = run["iterations"] / simulated_s
    assert 0.7 < came / token["tokens_per_s_pipeline"] < 1
