"""Pareto front of a plan: its table, its block for JSON, its file and its text."""

from itertools import permutations
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from compiler.search.pareto_front import ParetoFront
from experiments.plan_report.pareto import (
    STATES,
    front_block,
    front_report,
    front_table,
    write_front,
)
from experiments.run.preparation import Prepared
from experiments.tables.columns import FRONT_COLUMNS

HZ = 900_000_000


def test_points_of_the_front_come_first_and_each_point_once(front: ParetoFront) -> None:
    table = front_table(front, hz=HZ, batch=1)
    assert list(table.columns) == list(FRONT_COLUMNS)
    places = [STATES.index(state) for state in table["state"]]
    assert places == sorted(places)
    assert places.count(0) == len(front.points) > 0
    assert places.count(2) == len(front.open)
    assert not table.duplicated(["strategy", "sequences"]).any()


def test_no_point_of_the_front_dominates_another(front: ParetoFront) -> None:
    table = front_table(front, hz=HZ, batch=1)
    points = table[table["state"] == "front"]
    merits = points[["latency_us", "tokens_per_s_all_users", "chips"]].to_numpy()
    for one, other in permutations(merits.tolist(), 2):
        no_worse = one[0] <= other[0], one[1] >= other[1], one[2] <= other[2]
        assert not all(no_worse)


def test_rates_follow_from_cycles_clock_and_batch(front: ParetoFront) -> None:
    point = front.points[0]
    single, batch = (front_table(front, hz=HZ, batch=n).iloc[0] for n in (1, 4))
    assert single["latency_us"] == pytest.approx(point.merits.latency_cycles / 900)
    all_users = HZ / point.merits.share_cycles
    assert single["tokens_per_s_all_users"] == pytest.approx(all_users)
    assert batch["tokens_per_s_all_users"] == 4 * single["tokens_per_s_all_users"]


def test_the_file_stands_beside_the_plan_and_has_the_points_of_the_block(
    searched: Prepared, front: ParetoFront, tmp_path: Path
) -> None:
    path = write_front(searched, front, tmp_path / "best.csv")
    assert path == tmp_path / "best_pareto.csv"
    block = front_block(searched, front)
    assert len(pd.read_csv(path)) == len(block["points"])
    counts = [block[key] for key in ("on_front", "known", "open")]
    assert counts == [len(front.points), len(front.known), len(front.open)]


def test_the_text_has_a_line_for_each_point_of_the_front(
    searched: Prepared, front: ParetoFront
) -> None:
    console = Console(width=80, color_system=None)
    with console.capture() as printed:
        console.print(front_report(searched, front))
    lines = printed.get().splitlines()
    assert lines[0] == "Pareto front of latency, throughput and chips"
    strategies = [line.split()[-1] for line in lines[2 : 2 + len(front.points)]]
    assert strategies == [str(point.strategy) for point in front.points]
