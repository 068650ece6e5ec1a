"""First violations of free-running clocks: the script, and runs on a rack."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.image import imread

from experiments import clock_drift
from experiments.clock_drift import closed_form_row, free_running_rows, planned
from experiments.drift.free_running_clocks import without_deskews
from experiments.tables.atomic_write import csv_bytes
from experiments.tables.terminal_table import terminal_table
from fabric.replay import replay
from fabric.simulation import simulate

Experiment = Callable[..., str]
SEEDS = range(1, 6)


def test_it_leaves_two_tables_and_a_picture_and_prints_80_columns(
    tmp_path: Path, experiment: Experiment
) -> None:
    printed = experiment("clock_drift", "--quick", "--out", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "clock_drift.csv",
        "clock_drift.png",
        "clock_drift_raised.csv",
    ]
    assert imread(tmp_path / "clock_drift.png").ndim == 3
    table = pd.read_csv(tmp_path / "clock_drift.csv")
    assert clock_drift.SHOWN.keys() <= set(table.columns)
    assert max(map(len, printed.split("\nwrote ")[0].splitlines())) <= 80


@pytest.mark.parametrize("ppm", [10.0, 50.0, 200.0])
@pytest.mark.parametrize("seed", SEEDS)
def test_without_jitter_the_first_violation_is_that_of_the_closed_form(
    ppm: float, seed: int
) -> None:
    table = pd.DataFrame(free_running_rows(ppm, 160, seed))
    steady = table[table["jitter_cycles"] == 0]
    assert len(steady) == 2
    assert steady["kind"].isin(["underflow", "overflow"]).all()
    # What must hold is one interval; that it is exact is what a closed form is for.
    assert steady["difference_in_intervals"].abs().max() < 1e-3
    # The guard band was made to hold for an interval; then it is used up.
    interval_ps = steady["interval_cycles"] / 900e6 * 1e12
    assert (steady["first_violation_ps"] > interval_ps).all()


def test_a_shallow_fifo_overflows_before_a_vector_is_late() -> None:
    kinds = [row["kind"] for seed in SEEDS for row in free_running_rows(50.0, 40, seed)]
    assert kinds[0::3] == ["underflow"] * len(SEEDS)
    assert kinds[1::3] == ["overflow"] * len(SEEDS)


@pytest.mark.parametrize("seed", SEEDS)
def test_on_a_rack_several_tokens_without_deskews_break_and_with_them_do_not(
    seed: int,
) -> None:
    schedule = planned(50.0, 160)
    machine = schedule.plan.task.machine
    kept = replay(schedule.program, schedule.topology, machine, seed=seed, tokens=20)
    assert kept.chips.deskews.max() >= 20
    assert kept.underflows == kept.overflows == kept.tokens_lost == 0
    program = without_deskews(schedule.program)
    loose = replay(program, schedule.topology, machine, seed=seed, tokens=4)
    assert loose.chips.deskews.max() == 0
    assert loose.underflows > 0
    assert loose.tokens_lost > 0


def test_both_engines_break_at_the_same_vector() -> None:
    schedule = planned(100.0, 40)
    machine = schedule.plan.task.machine
    program = without_deskews(schedule.program)
    runs = [
        engine(program, schedule.topology, machine, seed=1, tokens=1)
        for engine in (simulate, replay)
    ]
    assert runs[0].violations == runs[1].violations
    assert runs[0].underflows > 0


def test_the_frontier_falls_as_crystals_get_worse() -> None:
    curve = pd.DataFrame(
        [closed_form_row(planned(ppm, 160), seed=1) for ppm in (10.0, 30.0, 90.0)]
    )
    for name in ("closed_form_us", "earliest_us", "latest_us"):
        assert curve[name].is_monotonic_decreasing
    assert (curve["earliest_us"] < curve["latest_us"]).all()
    assert (curve["latest_us"] < curve["closed_form_us"]).all()


def test_a_row_reads_in_a_line() -> None:
    table = pd.DataFrame(free_running_rows(50.0, 160, 1))
    assert len(terminal_table(table, clock_drift.SHOWN).splitlines()) == 4
    assert b"closed_form_ps" in csv_bytes(table)
