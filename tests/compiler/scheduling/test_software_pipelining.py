from collections.abc import Callable
from dataclasses import replace
from itertools import islice

import pytest

from compiler.compile_decode import time_token
from compiler.ir.schedule import Schedule
from compiler.ir.timeline import Timeline
from compiler.routing.modulo_reservation_table import (
    ModuloReservationTable,
    contested_links,
)
from compiler.scheduling.software_pipelining import PipelinedToken, SoftwarePipeliner
from compiler.verify import verify

Compile = Callable[..., Schedule]


@pytest.mark.parametrize(("tensor", "pipeline"), [(3, 5), (5, 3), (6, 6)])
def test_groups_that_share_cables_follow_at_the_interval_of_the_slowest_stage(
    compiled: Compile, tensor: int, pipeline: int
) -> None:
    schedule = compiled(tensor, pipeline, sequences=pipeline, topology="rack")
    alone = time_token(schedule.plan, schedule.topology)
    assert contested_links(alone.timelines)
    slowest = max(alone.timeline.stage_cycles)
    stall = schedule.plan.task.machine.hac.epoch_cycles
    interval = schedule.program.interval_cycles
    assert slowest + stall <= interval < 1.1 * slowest
    assert schedule.latency_cycles == pipeline * interval
    assert schedule.breakdown.total == schedule.program.token_cycles
    verify(schedule.program, schedule.topology, schedule.plan.task.machine)


def test_a_pipeline_that_is_not_full_takes_no_longer_than_a_token(
    compiled: Compile,
) -> None:
    alone = compiled(3, 5, topology="rack")
    two = compiled(3, 5, sequences=2, topology="rack")
    assert two.latency_cycles == alone.latency_cycles


def test_a_stage_alone_shares_no_link(compiled: Compile) -> None:
    schedule = compiled(8, 1, topology="rack")
    assert not contested_links([schedule.timeline])


def test_a_token_alone_is_repeated_as_it_is(compiled: Compile) -> None:
    schedule = compiled(2, 3)
    alone = [schedule.timeline]
    (token,) = SoftwarePipeliner(
        schedule.plan, schedule.topology, alone, None
    ).attempts()
    assert token.timeline is schedule.timeline
    assert token.interval_cycles == 0
    assert token.period_cycles == schedule.timeline.token_cycles


def test_each_attempt_leaves_a_deskew_more_between_sequences(
    compiled: Compile,
) -> None:
    schedule = compiled(2, 4, sequences=2)
    timeline = schedule.timeline
    stall = schedule.plan.task.machine.hac.epoch_cycles
    pipeliner = SoftwarePipeliner(schedule.plan, schedule.topology, [timeline], None)
    tokens: list[PipelinedToken] = list(islice(pipeliner.attempts(), 3))
    for attempt, token in enumerate(tokens):
        slowest = max(timeline.stage_cycles)
        assert token.interval_cycles >= slowest + (1 + attempt) * stall
        assert token.period_cycles >= 2 * token.interval_cycles


def test_tokens_that_meet_on_links_are_scheduled_again_at_an_interval_they_hold(
    compiled: Compile,
) -> None:
    schedule = compiled(5, 3, sequences=3, topology="rack")
    timed = time_token(schedule.plan, schedule.topology)
    asked = []

    def reschedule(reservations: ModuloReservationTable) -> list[Timeline]:
        asked.append(reservations)
        return timed.scheduler.replicas(
            schedule.plan, timed.interval_cycles, reservations
        )

    token = next(
        SoftwarePipeliner(
            schedule.plan, schedule.topology, timed.timelines, reschedule
        ).attempts()
    )
    assert asked
    assert token.timeline.token_cycles <= token.period_cycles
    assert token.period_cycles == 3 * token.interval_cycles
    assert token.interval_cycles >= max(token.timeline.stage_cycles)
    assert token.timeline.token_cycles >= timed.timeline.token_cycles


def test_the_interval_grows_until_stages_that_wait_can_keep_up(
    compiled: Compile,
) -> None:
    schedule = compiled(5, 3, sequences=3, topology="rack")
    timed = time_token(schedule.plan, schedule.topology)
    stall = schedule.plan.task.machine.hac.epoch_cycles
    slowest = max(timed.timeline.stage_cycles)

    def wait(_: ModuloReservationTable) -> list[Timeline]:
        """Return tokens in which the waits of each stage add up to 9,000 cycles."""
        waited = tuple(cycles + 9_000 for cycles in timed.timeline.stage_cycles)
        return [replace(timed.timeline, stage_cycles=waited)]

    token = next(
        SoftwarePipeliner(
            schedule.plan, schedule.topology, timed.timelines, wait
        ).attempts()
    )
    assert token.interval_cycles == slowest + 9_000 + stall
