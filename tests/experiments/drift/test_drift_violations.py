"""First violations of free-running clocks: the closed form against simulated runs."""

import numpy as np
import pytest

from experiments.clock_drift import planned
from experiments.drift.drift_violations import (
    ClockViolation,
    first_violation,
    simulated_violation,
    underflow_quantiles,
)
from experiments.drift.free_running_clocks import (
    FreeRunningClocks,
    free_run,
    without_deskews,
)
from fabric.replay import replay


def free_running(seed: int) -> FreeRunningClocks:
    """Return a rack without jitter whose crystals are within 50 ppm."""
    schedule = planned(50.0, 160)
    machine = schedule.plan.task.machine.with_settings({"link.jitter_cycles": 0})
    program = without_deskews(schedule.program)
    result = replay(
        program, schedule.topology, machine, seed=seed, tokens=1, keep=frozenset({0})
    )
    return free_run(program, schedule.topology, machine, result)


def test_twice_the_drift_breaks_in_half_the_time() -> None:
    free = free_running(1)
    free = free._replace(slack_ps=np.full_like(free.slack_ps, 100_000))
    hz = free.machine.chip.clock_hz
    slow, fast = (
        first_violation(free._replace(hz=hz + share * (free.hz - hz)))
        for share in (0.05, 0.1)
    )
    assert slow is not None
    assert fast is not None
    assert slow.time_ps / fast.time_ps == pytest.approx(2, rel=0.05)


def test_a_train_that_is_late_at_once_is_late_in_the_first_period() -> None:
    free = free_running(1)
    slack_ps = free.slack_ps.copy()
    slack_ps[5] = -1
    link = int(free.program.trains.link[5])
    cycle = int(free.program.trains.receive_cycle[5])
    period_ps = free.period_ps[free.topology.target[link]]
    late = first_violation(free._replace(slack_ps=slack_ps))
    assert late == ClockViolation("underflow", link, cycle, round(cycle * period_ps))


def test_without_jitter_all_quantiles_are_the_first_underflow() -> None:
    free = free_running(2)
    quantiles = underflow_quantiles(free, (0.01, 0.5, 0.99))
    assert len(set(quantiles)) == 1
    assert quantiles[0].kind == "underflow"


def test_with_jitter_first_violations_spread_as_the_closed_form_says() -> None:
    schedule = planned(50.0, 160)
    machine, program = schedule.plan.task.machine, without_deskews(schedule.program)
    quantiles = tuple(np.linspace(0.02, 0.98, 49))
    odds = []
    for seed in range(40):
        steady = machine.with_settings({"link.jitter_cycles": 0})
        one_token = replay(
            program,
            schedule.topology,
            steady,
            seed=seed,
            tokens=1,
            keep=frozenset({0}),
        )
        free = free_run(program, schedule.topology, steady, one_token)
        free = free._replace(machine=machine)
        cycles = [each.cycle for each in underflow_quantiles(free, quantiles)]
        assert cycles == sorted(cycles)
        result = replay(program, schedule.topology, machine, seed=seed, tokens=4)
        violation = simulated_violation(free, result)
        assert violation is not None
        odds.append(np.searchsorted(cycles, violation.cycle) / len(quantiles))
    # Uniform on 0 to 1: mean 1/2, standard error 0.29 / sqrt(40).
    assert np.mean(odds) == pytest.approx(0.5, abs=4 * 0.29 / np.sqrt(40))
    assert min(odds) < 0.2
    assert max(odds) > 0.8


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
    assert first_violation(free) is None
    assert simulated_violation(free, result) is None
    assert underflow_quantiles(free, (0.5,)) == ()
