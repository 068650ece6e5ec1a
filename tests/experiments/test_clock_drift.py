from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from experiments import clock_drift
from experiments.analysis.free_running_clocks import (
    first_broken,
    first_seen,
    free_run,
    underflow_quantiles,
    without_deskews,
)
from experiments.clock_drift import let_loose, planned, predicted, raised
from experiments.harness.experiment_script import brief
from experiments.tables.atomic_write import csv_bytes
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
    table = pd.DataFrame(let_loose(ppm, 160, seed))
    steady = table[table["jitter_cycles"] == 0]
    assert len(steady) == 2
    assert steady["kind"].isin(["underflow", "overflow"]).all()
    # What must hold is one interval; that it is exact is what a closed form is for.
    assert steady["difference_in_intervals"].abs().max() < 1e-3
    # The guard band was made to hold for an interval; then it is used up.
    interval_ps = steady["interval_cycles"] / 900e6 * 1e12
    assert (steady["first_violation_ps"] > interval_ps).all()


def test_a_shallow_fifo_overflows_before_a_vector_is_late() -> None:
    kinds = [row["kind"] for seed in SEEDS for row in let_loose(50.0, 40, seed)]
    assert kinds[0::3] == ["underflow"] * len(SEEDS)
    assert kinds[1::3] == ["overflow"] * len(SEEDS)


def test_with_jitter_first_violations_spread_as_the_closed_form_says() -> None:
    schedule = planned(50.0, 160)
    machine, program = schedule.plan.task.machine, without_deskews(schedule.program)
    quantiles = tuple(np.linspace(0.02, 0.98, 49))
    odds = []
    for seed in range(40):
        steady = machine.with_settings({"link.jitter_cycles": 0})
        quiet = replay(
            program,
            schedule.topology,
            steady,
            seed=seed,
            tokens=1,
            keep=frozenset({0}),
        )
        free = free_run(program, schedule.topology, steady, quiet)
        free = free._replace(machine=machine)
        cycles = [broken.cycle for broken in underflow_quantiles(free, quantiles)]
        assert cycles == sorted(cycles)
        result = replay(program, schedule.topology, machine, seed=seed, tokens=4)
        seen = first_seen(free, result)
        assert seen is not None
        odds.append(np.searchsorted(cycles, seen.cycle) / len(quantiles))
    # Uniform on 0 to 1: mean 1/2, standard error 0.29 / sqrt(40).
    assert np.mean(odds) == pytest.approx(0.5, abs=4 * 0.29 / np.sqrt(40))
    assert min(odds) < 0.2
    assert max(odds) > 0.8


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


def test_crystals_that_are_alike_never_break_it() -> None:
    schedule = planned(50.0, 160)
    ideal = schedule.plan.task.machine.with_settings(
        {"clock.model": "ideal", "link.jitter_cycles": 0}
    )
    program = without_deskews(schedule.program)
    result = replay(
        program, schedule.topology, ideal, seed=1, tokens=2, keep=frozenset({0})
    )
    free = free_run(program, schedule.topology, ideal, result)
    assert first_broken(free) is None
    assert first_seen(free, result) is None
    assert underflow_quantiles(free, (0.5,)) == ()


@pytest.mark.parametrize("epochs", [40, 640])
def test_runs_that_deskew_break_only_beyond_what_the_guard_promises(
    epochs: int,
) -> None:
    table = pd.DataFrame(raised(planned(50.0, epochs), range(4)))
    assert (table["bound_ppm"] >= table["planned_ppm"]).all()
    assert (table["first_violating_ppm"] > table["bound_ppm"]).all()
    # With a short interval the deskews of idle chips are the first to be misread.
    assert table["misread"].all() == (epochs == 40)


def test_the_frontier_falls_as_crystals_get_worse() -> None:
    curve = pd.DataFrame(
        [predicted(planned(ppm, 160), seed=1) for ppm in (10.0, 30.0, 90.0)]
    )
    for name in ("closed_form_us", "earliest_us", "latest_us"):
        assert curve[name].is_monotonic_decreasing
    assert (curve["earliest_us"] < curve["latest_us"]).all()
    assert (curve["latest_us"] < curve["closed_form_us"]).all()


def test_a_row_reads_in_a_line() -> None:
    table = pd.DataFrame(let_loose(50.0, 160, 1))
    assert len(brief(table, clock_drift.SHOWN).splitlines()) == 4
    assert b"closed_form_ps" in csv_bytes(table)
