from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.compile_decode import compile_token
from compiler.ir.schedule import Schedule
from fabric.replay import replay
from fabric.results.result import RunResult
from fabric.runtime.program_switch import Change, start_after
from fabric.runtime.segment import Segment
from fabric.simulation import simulate
from sharding.planner.chunked_prefill import pass_plan
from specs.units import PS_PER_S

Compile = Callable[..., Schedule]
EPOCH = 252
PPM_FREE = {"clock__model": "ideal", "link__jitter_cycles": 0}


def longer(schedule: Schedule, context: int) -> Schedule:
    task = schedule.plan.task._replace(context=context)
    return compile_token(pass_plan(schedule.plan, task), schedule.topology)


def run(
    execute: Callable[..., RunResult],
    schedules: list[Schedule],
    every: int,
    **more: int,
) -> RunResult:
    first, *others = schedules
    return execute(
        first.program,
        first.topology,
        first.plan.task.machine,
        changes=[
            Change((number + 1) * every, each.program, None)
            for number, each in enumerate(others)
        ],
        **{"seed": 1, "tokens": every * len(schedules), **more},
    )


@settings(max_examples=12)
@given(
    shape=st.sampled_from([(8, 1, 1), (4, 2, 1), (2, 4, 3), (8, 2, 2)]),
    seed=st.integers(0, 99),
    every=st.integers(1, 3),
    model=st.sampled_from(["constant", "walk"]),
    ber=st.sampled_from([1e-12, 2e-7]),
)
def test_both_engines_agree_on_every_integer_across_changes(
    compiled: Compile,
    *,
    shape: tuple[int, int, int],
    seed: int,
    every: int,
    model: str,
    ber: float,
) -> None:
    width, stages, sequences = shape
    own = {"clock__model": model, "link__ber": ber}
    first = compiled(width, stages, sequences=sequences, **own)
    schedules = [first, longer(first, 64), longer(first, 120)]
    one, other = (
        run(execute, schedules, every, seed=seed) for execute in (simulate, replay)
    )
    assert one.iterations == other.iterations
    assert one.trajectory_hash == other.trajectory_hash
    assert one.events == other.events
    assert one.tokens_lost == other.tokens_lost == 0
    assert not one.underflows + one.overflows


def test_a_change_takes_two_epochs_and_no_alignment(compiled: Compile) -> None:
    first = compiled(4, 2, **PPM_FREE, keep=False)
    drifting = compiled(4, 2)
    for schedule, epochs in ((first, 0), (drifting, 2)):
        machine = schedule.plan.task.machine
        result = run(replay, [schedule, longer(schedule, 100)], 2)
        rows = result.iterations
        gap_ps = rows[2].start_ps - rows[1].end_ps
        cycles = gap_ps * machine.chip.clock_hz / PS_PER_S
        assert abs(cycles - epochs * EPOCH) < 2
        assert [row.token for row in rows] == [0, 1, 2, 3]
        assert [row.iteration for row in rows] == [0, 1, 2, 3]


def test_a_program_changed_for_itself_differs_by_the_pause_only(
    compiled: Compile,
) -> None:
    schedule = compiled(4, 2, **PPM_FREE)
    changed = run(replay, [schedule] * 3, 2)
    whole = replay(
        schedule.program,
        schedule.topology,
        schedule.plan.task.machine,
        seed=1,
        tokens=6,
    )
    assert [row[:6] for row in changed.iterations] == [
        row[:6] for row in whole.iterations
    ]
    assert np.array_equal(changed.links.vectors, whole.links.vectors)


def test_drift_is_kept_within_the_guard_over_many_changes(compiled: Compile) -> None:
    schedule = compiled(4, 2, clock__drift_ppm=200)
    schedules = [schedule, longer(schedule, 100)] * 20
    result = run(replay, schedules, 1)
    assert result.tokens_lost == result.underflows == result.overflows == 0
    # A start is aligned once; its counters run on.
    assert (
        result.alignment_epochs
        == replay(
            schedule.program,
            schedule.topology,
            schedule.plan.task.machine,
            seed=1,
            tokens=1,
        ).alignment_epochs
    )


@pytest.mark.parametrize("execute", [simulate, replay])
def test_what_is_given_up_does_not_go_on_in_the_next_program(
    compiled: Compile, execute: Callable[..., RunResult]
) -> None:
    schedule = compiled(4, 2, link__ber=1e-3)
    result = run(execute, [schedule, longer(schedule, 100)], 2)
    assert result.tokens_lost == 4
    assert result.missing[0].first_token == 0


def test_a_program_that_follows_starts_at_the_end_and_after_two_stalls(
    steady: Segment,
) -> None:
    start = start_after(steady, np.zeros(8, dtype=np.int64))
    gap = start.count - steady.start.count - steady.last_cycle
    deskews = steady.program.deskews
    assert gap == (2 * deskews.stall_cycles if deskews.interval_cycles else 0)
    # Crystals agree, so that every chip goes on by the same number of cycles.
    moved = np.array(start.cycle) - np.array(steady.start.cycle)
    assert np.unique(moved).tolist() == [steady.last_cycle + gap]


def test_chips_that_drift_follow_in_step_to_their_counters(drifting: Segment) -> None:
    removed = np.array([3, -2, 0, 1, 0, 0, -1, 2])
    start = start_after(drifting, removed)
    stall = drifting.program.deskews.stall_cycles
    assert start.count - drifting.start.count == drifting.last_cycle + 2 * stall
    chips = np.arange(8)
    # The last deskew starts one stall before the program, and reads this count.
    cycle = np.array(start.cycle) - stall
    ahead = drifting.crystals.counts_at(
        chips, drifting.crystals.clocks.edges_ps(chips, cycle)
    )
    assert np.abs(ahead - (start.count - stall)).max() <= 1
