import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from compiler.space import splits
from specs.model import load_model

Groqrack = Callable[..., subprocess.CompletedProcess[str]]


def test_a_search_says_why_within_80_columns(
    groqrack: Groqrack, tiny_config: Path
) -> None:
    auto = ["--model", tiny_config, "--chips", "12", "--strategy", "auto"]
    told = groqrack("plan", *auto, "--explain")
    assert told.returncode == 0
    assert "no other strategy can beat it" in told.stdout
    assert "Stage imbalance" in told.stdout
    assert "best moves" in told.stdout
    assert "compiling" in told.stdout
    for limit in ("SRAM", "heads", "context"):
        assert limit in told.stdout
    assert max(map(len, told.stdout.splitlines())) <= 80


def test_the_front_is_shown_within_80_columns(
    groqrack: Groqrack, tiny_config: Path
) -> None:
    told = groqrack("plan", "--model", tiny_config, "--chips", "4", "--pareto")
    assert told.returncode == 0
    assert "Pareto front" in told.stdout
    assert "no other strategy belongs to it" in told.stdout
    assert max(map(len, told.stdout.splitlines())) <= 80


@pytest.mark.parametrize("word", ["attention=2", "data=2", "layout=2d"])
def test_plans_of_every_kind_are_explained_and_set_beside_the_front(
    groqrack: Groqrack, tiny_config: Path, word: str
) -> None:
    asked = ["--model", tiny_config, "--chips", "8", "--strategy"]
    told = groqrack("plan", *asked, f"tensor=4,{word}", "--explain", "--pareto")
    assert (told.returncode, told.stderr) == (0, "")
    assert "best moves" in told.stdout
    assert "Pareto front" in told.stdout


@pytest.mark.parametrize("table", ["--explain", "--pareto"])
def test_tables_for_people_are_no_json(
    groqrack: Groqrack, tiny_config: Path, table: str
) -> None:
    asked = ["--model", tiny_config, "--chips", "4", "--strategy", "tensor=2"]
    refused = groqrack("plan", *asked, table, "--json")
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"error: {table} shows tables")


def test_a_plan_that_was_asked_for_is_explained_without_a_search(
    groqrack: Groqrack, tiny_config: Path
) -> None:
    asked = ["--model", tiny_config, "--chips", "12", "--strategy", "tensor=4"]
    told = groqrack("plan", *asked, "--explain")
    assert "lose" in told.stdout
    assert "next best" not in told.stdout


def test_what_was_searched_is_part_of_the_plan_and_can_be_simulated(
    groqrack: Groqrack, tiny_config: Path
) -> None:
    auto = ["--model", tiny_config, "--chips", "12", "--strategy", "auto"]
    planned = json.loads(groqrack("plan", *auto, "--json").stdout)
    search = planned["search"]
    assert {"candidates", "scored", "best_bound_cycles", "gap", "wall_s"} <= set(search)
    model = load_model(tiny_config)
    assert search["candidates"] == sum(
        12 // tensor * len(splits(model, tensor)) for tensor in range(1, 13)
    )
    assert search["gap"] == 0
    run = json.loads(groqrack("simulate", *auto, "--tokens", "1", "--json").stdout)
    assert run["plan"] == planned["plan"]
    assert run["schedule"]["latency_cycles"] == search["best_bound_cycles"]


def test_throughput_decides_how_many_sequences_are_in_flight(
    groqrack: Groqrack, tiny_config: Path
) -> None:
    options = ["--model", tiny_config, "--chips", "8", "--strategy", "auto"]
    done = groqrack(
        "simulate", *options, "--objective", "throughput", "--tokens", "2", "--json"
    )
    run = json.loads(done.stdout)
    assert run["inputs"]["sequences"] > 1
    assert run["iteration"]["count"] == 2 * run["inputs"]["sequences"]
    refused = groqrack("plan", *options[:-2], "--objective", "chips")
    assert refused.returncode == 2
    assert "--strategy auto" in refused.stderr
