from collections.abc import Callable

import pytest

from compiler.compile_decode import time_token
from compiler.ir.schedule import Schedule
from compiler.routing.modulo_reservation_table import contested_links
from compiler.verify import verify

Compile = Callable[..., Schedule]


@pytest.mark.parametrize(("tensor", "pipeline"), [(3, 5), (5, 3), (6, 6)])
def test_groups_that_share_cables_follow_at_the_pace_of_the_slowest_stage(
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
