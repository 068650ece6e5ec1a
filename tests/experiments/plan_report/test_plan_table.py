"""Text of a plan, and its file."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
from rich.console import Console

from compiler.search.objective import Objective
from experiments.plan_report.plan_table import certainty, plan_report, write_plan
from experiments.run.preparation import Prepared


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
