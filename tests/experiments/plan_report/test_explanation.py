"""Explanation of a plan: its parts, its block for JSON, and its text."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from compiler.search.search_space import splits
from experiments.plan_report.explanation import (
    MOST_SHOWN,
    Explanation,
    explanation_block,
)
from experiments.plan_report.explanation_text import explanation_report
from experiments.tables.columns import FRONT_COLUMNS
from specs.model import load_model

Groqrack = Callable[..., subprocess.CompletedProcess[str]]


def test_a_search_says_why_within_80_columns(
    groqrack: Groqrack, tiny_config: Path
) -> None:
    auto = ["--model", tiny_config, "--chips", "12", "--strategy", "auto"]
    told = groqrack("plan", *auto, "--explain")
    assert told.returncode == 0
    assert "strategies searched can beat it" in " ".join(told.stdout.split())
    assert "Stage imbalance" in told.stdout
    assert "best moves" in told.stdout
    assert "the others were compiled" in told.stdout
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


def test_json_has_what_the_tables_of_an_explanation_say(
    groqrack: Groqrack, tiny_config: Path
) -> None:
    asked = ["--model", tiny_config, "--chips", "12", "--strategy", "auto"]
    told = groqrack("plan", *asked, "--explain", "--json")
    assert (told.returncode, told.stderr) == (0, "")
    document = json.loads(told.stdout)
    why, best = document["explanation"], document["search"]
    assert why["latency_cycles"] == best["latency_cycles"]
    spent = sum(why["breakdown_cycles"].values())
    assert spent + why["turn_cycles"] == why["latency_cycles"]
    assert why["ranking"][0]["strategy"] == document["plan"]["strategy"]
    costs = [each["cost"] for each in why["ranking"]]
    assert costs == sorted(costs)
    assert len(costs) == 10
    assert all(each["exact"] for each in why["ranking"])
    cycles = [stage["cycles"] for stage in why["stages"]]
    assert [stage["lost_cycles"] for stage in why["stages"]] == [
        max(cycles) - each for each in cycles
    ]
    assert len(cycles) == len(document["stages"])
    assert 5 <= len(why["moves"]) <= 10
    spent = [limit["cycles"] for limit in why["limits"]]
    assert spent == sorted(spent, reverse=True)


def test_the_next_best_are_as_much_slower_as_they_are_said_to_be(
    groqrack: Groqrack, tiny_config: Path
) -> None:
    machine = ["--model", tiny_config, "--chips", "12", "--strategy"]
    told = groqrack("plan", *machine, "auto", "--explain", "--json")
    best, second, *_ = json.loads(told.stdout)["explanation"]["ranking"]
    run = groqrack("simulate", *machine, second["strategy"], "--tokens", "1", "--json")
    latency = json.loads(run.stdout)["schedule"]["latency_cycles"]
    assert latency == second["latency_cycles"]
    assert second["worse_by"] == latency / best["latency_cycles"] - 1


def test_waiting_for_a_turn_is_told_beside_where_the_cycles_go(
    groqrack: Groqrack, tiny_config: Path
) -> None:
    asked = ["--model", tiny_config, "--chips", "4", "--strategy", "tensor=2"]
    crowded = [*asked, "--sequences", "5", "--explain"]
    why = json.loads(groqrack("plan", *crowded, "--json").stdout)["explanation"]
    assert why["turn_cycles"] > 0
    spent = sum(why["breakdown_cycles"].values())
    assert spent + why["turn_cycles"] == why["latency_cycles"]
    shown = groqrack("plan", *crowded).stdout.replace("\n", " ")
    assert f"{why['turn_cycles']:,} cycles of it" in shown.replace("  ", " ")


def test_the_stages_of_replicas_are_named_by_replica_and_stage(
    groqrack: Groqrack, tiny_config: Path
) -> None:
    asked = ["--model", tiny_config, "--chips", "8"]
    split = ["--strategy", "tensor=2,pipeline=2,data=2"]
    told = groqrack("plan", *asked, *split, "--explain", "--json")
    stages = json.loads(told.stdout)["explanation"]["stages"]
    named = [(stage["replica"], stage["stage"]) for stage in stages]
    assert named == [(0, 0), (0, 1), (1, 0), (1, 1)]
    shown = groqrack("plan", *asked, *split, "--explain").stdout
    assert "replica  stage" in shown


def test_the_front_is_a_file_beside_the_plan_and_part_of_the_json(
    groqrack: Groqrack, tiny_config: Path, tmp_path: Path
) -> None:
    asked = ["--model", tiny_config, "--chips", "4", "--strategy", "tensor=2"]
    file = tmp_path / "split.csv"
    told = groqrack("plan", *asked, "--pareto", "--json", "--out", file)
    assert (told.returncode, told.stderr) == (0, "")
    front = json.loads(told.stdout)["pareto"]
    table = pd.read_csv(tmp_path / "split_pareto.csv")
    assert table.to_dict("records") == front["points"]
    assert list(table.columns) == list(FRONT_COLUMNS)
    assert (table["state"] == "front").sum() == front["on_front"]
    assert (front["open"], front["gap"]) == (0, 0)
    fastest = table["latency_us"].min()
    assert front["at_best"]["latency_us"] == fastest == table["latency_us"][0]
    assert file.is_file()


def test_an_encoder_makes_passes_and_no_tokens(
    groqrack: Groqrack,
) -> None:
    asked = ["--model", "bert-base", "--chips", "4", "--context", "128"]
    told = groqrack("plan", *asked, "--strategy", "tensor=2", "--explain", "--pareto")
    assert (told.returncode, told.stderr) == (0, "")
    assert "A pass takes" in told.stdout
    assert "passes/s of all" in told.stdout
    assert "token" not in told.stdout


def test_long_names_of_moves_are_shown_whole_within_80_columns(
    groqrack: Groqrack, tiny_config: Path
) -> None:
    long = "tensor=10,pipeline=1,attention=5,layout=2d,data=2"
    asked = ["--model", tiny_config, "--chips", "24", "--strategy", long, "--explain"]
    told = groqrack("plan", *asked)
    assert max(map(len, told.stdout.splitlines())) <= 80
    assert "…" not in told.stdout
    moves = json.loads(groqrack("plan", *asked, "--json").stdout)["explanation"][
        "moves"
    ]
    named = [move["move"] for move in moves]
    assert any(len(name) > 40 for name in named)
    assert all(name in told.stdout for name in named)


def test_a_plan_that_was_asked_for_is_explained_without_a_search(
    groqrack: Groqrack, tiny_config: Path
) -> None:
    asked = ["--model", tiny_config, "--chips", "12", "--strategy", "tensor=4"]
    told = groqrack("plan", *asked, "--explain")
    assert "lose" in told.stdout
    assert "Ranking" not in told.stdout


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
    # A chip holds half of the model.
    small = ["--set", "chip.sram_bytes=25000000"]
    wanted = ["--objective", "throughput", "--tokens", "2", "--json"]
    done = groqrack("simulate", *options, *small, *wanted)
    run = json.loads(done.stdout)
    assert run["inputs"]["sequences"] > 1
    assert run["iteration"]["count"] == 2 * run["inputs"]["sequences"]
    refused = groqrack("plan", *options[:-2], "--objective", "chips")
    assert refused.returncode == 2
    assert "--strategy auto" in refused.stderr


def test_a_stage_loses_what_the_slowest_takes_longer(why: Explanation) -> None:
    cycles = [stage.cycles for stage in why.stages]
    assert cycles == list(why.schedule.timeline.stage_cycles)
    lost = [stage.lost_cycles for stage in why.stages]
    assert lost == [max(cycles) - each for each in cycles]


def test_the_second_strategy_costs_the_sum_of_what_it_spends_more(
    why: Explanation,
) -> None:
    assert why.ranking is not None
    assert why.next_best is not None
    best, second = why.ranking.best[:2]
    assert why.next_best.strategy == str(second.strategy)
    more = sum(why.next_best.more)
    assert more == second.latency_cycles - best.latency_cycles


def test_the_block_has_each_part_of_the_explanation(why: Explanation) -> None:
    assert why.ranking is not None
    block = explanation_block(why)
    assert block["strategy"] == str(why.prepared.plan.strategy)
    assert sum(block["breakdown_cycles"].values()) == block["latency_cycles"]
    assert block["stages"] == [stage._asdict() for stage in why.stages]
    assert [each["move"] for each in block["moves"]] == [m.name for m in why.moves]
    assert [each["name"] for each in block["limits"]] == [x.name for x in why.limits]
    assert block["ranking"][0]["worse_by"] == 0
    assert len(block["ranking"]) == len(why.ranking.best) <= MOST_SHOWN


def test_the_text_begins_with_the_search_and_ends_with_the_limits(
    why: Explanation,
) -> None:
    console = Console(width=80, color_system=None)
    with console.capture() as printed:
        console.print(explanation_report(why))
    parts = printed.get().split("\n\n")
    assert parts[0].startswith(f"{why.prepared.plan.strategy} is the best for latency")
    assert parts[-1].startswith("What limits it, the tightest first")
    for limit in why.limits:
        assert limit.name in parts[-1]
