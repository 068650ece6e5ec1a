"""Free-running clocks: a program without deskews, its crystals and its slack."""

import numpy as np
import pytest

from experiments.clock_drift import planned
from experiments.drift.free_running_clocks import free_run, without_deskews
from fabric.replay import replay
from fabric.results.result import RunResult

SCHEDULE = planned(50.0, 160)
MACHINE = SCHEDULE.plan.task.machine.with_settings({"link.jitter_cycles": 0})
PROGRAM = without_deskews(SCHEDULE.program)


def one_token() -> RunResult:
    return replay(
        PROGRAM, SCHEDULE.topology, MACHINE, seed=1, tokens=1, keep=frozenset({0})
    )


def test_only_the_deskews_are_taken_out_of_a_program() -> None:
    assert len(SCHEDULE.program.deskews.chip) > 0
    assert len(PROGRAM.deskews.chip) == len(PROGRAM.deskews.start_cycle) == 0
    assert PROGRAM.deskews.interval_cycles == 0
    assert PROGRAM.instructions is SCHEDULE.program.instructions
    assert PROGRAM.trains is SCHEDULE.program.trains


def test_crystals_are_those_of_the_run_and_a_period_is_one_over_them() -> None:
    result = one_token()
    free = free_run(PROGRAM, SCHEDULE.topology, MACHINE, result)
    ppm = (free.hz / 900e6 - 1) * 1e6
    assert ppm == pytest.approx(result.chips.offset_ppm, abs=1e-6)
    assert free.period_ps == pytest.approx(1e12 / free.hz)


def test_slack_of_the_first_token_is_least_slack_of_its_run() -> None:
    result = one_token()
    free = free_run(PROGRAM, SCHEDULE.topology, MACHINE, result)
    link = PROGRAM.trains.link
    # The first vector of a train is not its last, which may have less.
    for used, least_ps in zip(
        result.links.link, result.links.least_slack_ps, strict=True
    ):
        assert free.slack_ps[link == used].min() >= least_ps


def test_slack_shrinks_where_the_receiver_is_faster_than_the_sender() -> None:
    free = free_run(PROGRAM, SCHEDULE.topology, MACHINE, one_token())
    link = PROGRAM.trains.link
    source, target = SCHEDULE.topology.source[link], SCHEDULE.topology.target[link]
    faster = free.hz[target] > free.hz[source]
    assert np.array_equal(free.loss_ps > 0, faster)
