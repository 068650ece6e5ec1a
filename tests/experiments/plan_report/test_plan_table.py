"""Text of a plan, and its file."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pandas as pd
from rich.console import Console

from compiler.ir.schedule import Schedule
from compiler.search.objective import Objective
from compiler.search.placement_search import PlacedSchedule
from experiments.plan_report.plan_table import (
    certainty,
    found_text,
    plan_report,
    write_plan,
)
from experiments.run.preparation import Prepared
from experiments.run.scenario import run_scenario


def test_a_gap_of_cycles_is_a_larger_one_of_tokens_per_second(
    searched: Prepared,
) -> None:
    assert searched.searched is not None
    result = searched.searched.found
    best = result.compiled[0].cost.first
    sure = replace(result, bound=best)
    others = f"no other of the {sure.candidates} strategies searched"
    assert certainty(sure) == f"{others} can beat it"
    fifth = replace(result, bound=0.8 * best)
    assert certainty(replace(fifth, objective=Objective.LATENCY)).endswith(
        "can be more than 20.0% better"
    )
    assert certainty(replace(fifth, objective=Objective.THROUGHPUT)).endswith(
        "can be more than 25.0% better"
    )


def test_a_search_says_the_time_the_rates_and_the_chips_of_what_it_found(
    searched: Prepared,
) -> None:
    assert searched.searched is not None
    best = searched.searched.found.compiled[0]
    ran = run_scenario(
        searched.scenario.model_copy(
            update={"strategy": str(best.strategy), "engine": "replay", "tokens": 1}
        )
    )
    hz = searched.machine.chip.clock_hz
    assert ran.schedule.latency_cycles == best.latency_cycles
    time, chips = found_text(searched, best).splitlines()
    token_us = f"{best.latency_cycles / hz * 1e6:,.1f}"
    per_s = f"{hz / best.latency_cycles:,.1f}"
    assert time == f"{token_us} us a token: {per_s} tokens/s a user, {per_s} in all"
    there = searched.topology.active_chips
    used = best.strategy.chips
    assert chips == f"{used} of {there} chips, 1 sequence in flight, batch 1"
    twice = best._replace(sequences=2, strategy=replace(best.strategy, data=3))
    _, told = found_text(searched, twice).split("tokens/s a user, ")
    together, chips = told.splitlines()
    assert together == f"{6 * hz / best.latency_cycles:,.1f} in all"
    assert "2 sequences in flight in each replica" in chips
    assert "us a token and its wait: " in found_text(searched, twice)


def test_a_placed_plan_is_told_with_its_own_time_and_strategy(
    searched: Prepared,
) -> None:
    assert searched.searched is not None
    best = searched.searched.found.compiled[0]
    faster = SimpleNamespace(latency_cycles=best.latency_cycles - 1000)
    other = replace(searched.plan.strategy, tensor=1, pipeline=2)
    placed = replace(
        searched,
        plan=replace(searched.plan, strategy=other),
        placed=PlacedSchedule(cast(Schedule, faster), best.latency_cycles),
    )
    console = Console(width=100, color_system=None)
    with console.capture() as printed:
        console.print(plan_report(placed))
    lines = printed.get().splitlines()
    token_us = (best.latency_cycles - 1000) / searched.machine.chip.clock_hz * 1e6
    assert any(line.startswith(f"{token_us:,.1f} us a token: ") for line in lines)
    assert any(line.startswith("2 of ") and " chips, " in line for line in lines)
    assert f"on the chips in order {best.strategy} is" in lines


def test_each_stage_is_a_row_with_its_chips(searched: Prepared) -> None:
    console = Console(width=100, color_system=None)
    with console.capture() as printed:
        console.print(plan_report(searched))
    lines = printed.get().splitlines()
    stages = searched.plan.replicas[0].stages
    rows = [line.split() for line in lines[-len(stages) :]]
    assert [int(row[0]) for row in rows] == [stage.index for stage in stages]
    assert lines[0].endswith(f" as {searched.plan.strategy}")
    assert "--explain says why" in printed.get()


def test_what_is_to_know_of_a_config_is_said(searched: Prepared) -> None:
    model = searched.model.model_copy(update={"remarks": ("the text part",)})
    console = Console(width=100, color_system=None)
    with console.capture() as printed:
        console.print(plan_report(replace(searched, model=model)))
    assert "read the text part" in printed.get().splitlines()


def test_the_file_of_a_plan_has_all_its_weights(
    searched: Prepared, tmp_path: Path
) -> None:
    path = write_plan(searched, tmp_path / "new" / "plan.csv")
    assert path == tmp_path / "new" / "plan.csv"
    assert pd.read_csv(path)["bytes"].sum() == searched.plan.weight_bytes
