from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import norm

from chip.program import Opcode
from compiler.ir.schedule import Schedule
from fabric.links.late_vectors import late_odds
from fabric.links.latency import Jitter
from fabric.replay import replay
from fabric.results.result import RunResult
from fabric.runtime.segment import Segment
from fabric.simulation import simulate
from topologies.link_samples import measured_row

Compile = Callable[..., Schedule]
MakeSegment = Callable[..., Segment]

TOKENS = 200
# A deviation of 0.35 spans, so that some vectors of a small model are late.
WIDE = {
    "link__jitter": "gaussian",
    "link__jitter_std_fraction": 0.35,
    "clock__model": "ideal",
}


def late_run(schedule: Schedule, seed: int, **options: object) -> RunResult:
    machine = schedule.plan.task.machine
    return replay(
        schedule.program,
        schedule.topology,
        machine,
        seed=seed,
        tokens=TOKENS,
        **options,  # type: ignore[arg-type]
    )


def test_vectors_are_late_as_often_as_the_closed_form_says(
    compiled: Compile, segment_of: MakeSegment
) -> None:
    schedule = compiled(4, 2, **WIDE)
    program, topology = schedule.program, schedule.topology
    result = late_run(schedule, seed=5, keep=frozenset({0}))
    # Clocks are ideal, so the time left for jitter is the same in every iteration.
    segment = segment_of(schedule, seed=5, tokens=TOKENS)
    code = program.instructions
    receives = np.flatnonzero(code.opcode == Opcode.RECEIVE)
    received_ps = np.zeros(len(program.trains), dtype=np.int64)
    (record,) = result.records
    received_ps[code.train[receives]] = record.instruction_ps[receives]
    drawn_ps = segment.latency_ps(0, 0) - segment.least_latency_ps
    left_ps = received_ps - record.arrival_ps + drawn_ps
    machine = schedule.plan.task.machine
    jitter = Jitter(machine, topology)
    odds = jitter.odds_beyond(program.trains.link, left_ps)
    expected, variance = TOKENS * odds.sum(), TOKENS * (odds * (1 - odds)).sum()
    assert expected > 100
    assert abs(result.underflows - expected) < 4 * variance**0.5
    # What the schedule leaves is that, but for counters that are some counts off.
    counters = 2 * machine.hac.tracking_error_counts + 2
    least, most = (
        late_odds(program, topology, machine, slip_cycles=slip)
        for slip in (-counters, counters)
    )
    assert (least <= odds).all()
    assert (odds <= most).all()


def test_no_train_catches_up_with_another_by_more_than_the_engines_allow_for(
    compiled: Compile, segment_of: MakeSegment
) -> None:
    segment = segment_of(compiled(4, 2, **WIDE), seed=5, tokens=TOKENS)
    most_ps = max(
        int((segment.latency_ps(0, token) - segment.least_latency_ps).max())
        for token in range(TOKENS)
    )
    span_ps = segment.machine.cycles_to_ps(33)
    # An engine counts a FIFO's vectors unless they came too late to have filled it.
    assert 1.3 * span_ps < most_ps <= segment.jitter_span_ps


def test_the_odds_of_the_shipped_links_are_those_of_the_normal_law(
    compiled: Compile,
) -> None:
    schedule = compiled(4, 2, link__jitter="gaussian")
    program, machine = schedule.program, schedule.plan.task.machine
    guard = program.guard_cycles
    odds = late_odds(program, schedule.topology, machine)
    mean, deviation = np.array(machine.link.jitter_rows).T * 33
    row = measured_row(schedule.topology, 7)[program.trains.link]
    closed_form = norm.sf((guard - mean[row]) / deviation[row])
    # In a node every train has the guard band for its jitter.
    assert odds == pytest.approx(closed_form, rel=1e-2)
    # At worst, with the clocks as far apart as the guard band allows, one in 10^8.
    worst = late_odds(program, schedule.topology, machine, slip_cycles=guard - 33)
    assert (odds < worst).all()
    assert 1e-12 < worst.max() < 1e-8


@pytest.mark.parametrize(("law", "spare"), [("clipped", 0), ("beta", 13)])
def test_no_vector_of_a_law_with_an_end_is_late(
    compiled: Compile, law: str, spare: int
) -> None:
    # A clipped law ends where guard bands do, a beta law 14 cycles before.
    schedule = compiled(4, 2, link__jitter=law)
    program, machine = schedule.program, schedule.plan.task.machine
    slip = program.guard_cycles - machine.link.jitter_cycles
    odds = [
        late_odds(program, schedule.topology, machine, slip_cycles=cycles)
        for cycles in (slip + spare, slip + spare + 1)
    ]
    assert not odds[0].any()
    assert odds[1].any()


def test_a_late_vector_names_link_cycle_and_margin_and_costs_its_token(
    compiled: Compile,
) -> None:
    schedule = compiled(4, 2, **WIDE)
    machine = schedule.plan.task.machine
    reference, fast = (
        engine(schedule.program, schedule.topology, machine, seed=3, tokens=8)
        for engine in (simulate, replay)
    )
    assert reference.violations == fast.violations
    assert reference.underflows == fast.underflows == len(fast.violations) > 0
    late = {violation.iteration for violation in fast.violations}
    delivered = {row.iteration for row in fast.iterations if row.delivered}
    assert late.isdisjoint(delivered)
    assert fast.tokens_lost == len(late) == 8 - len(delivered)
    trains = schedule.program.trains
    for violation in fast.violations:
        assert violation.kind == "underflow"
        assert violation.margin_ps < 0
        on_link = trains.link == violation.link
        assert violation.cycle in trains.receive_cycle[on_link]
        text = str(violation)
        assert f"link {violation.link} " in text
        assert f"cycle {violation.cycle} " in text
        assert f"{-violation.margin_ps} ps late" in text
        assert "link.jitter_cycles" in text


def test_a_guard_band_as_wide_as_the_tail_loses_no_token(compiled: Compile) -> None:
    # The same law in cycles, over a span of eight deviations.
    settings = WIDE | {
        "link__jitter_cycles": 100,
        "link__jitter_mean_fraction": 0.1,
        "link__jitter_std_fraction": 0.11,
    }
    schedule = compiled(4, 2, **settings)
    result = late_run(schedule, seed=5)
    assert result.underflows == result.tokens_lost == 0
