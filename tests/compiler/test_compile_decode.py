from collections.abc import Callable

import numpy as np
import pytest

from compiler.compile_decode import TimedToken, compile_token, time_token
from compiler.ir.schedule import Schedule
from compiler.verify import verify
from fabric.replay import replay
from sharding.parallelism.strategy import Strategy
from sharding.planner.plan import plan_sharding
from sharding.weights.task import Task
from specs.errors import ScheduleError
from specs.machine import load_machine
from specs.model import load_model
from topologies.outage import Outage
from topologies.selection import select_topology

Compile = Callable[..., Schedule]


def timed(schedule: Schedule) -> TimedToken:
    return time_token(schedule.plan, schedule.topology)


@pytest.mark.parametrize(("tensor", "pipeline"), [(1, 1), (2, 3), (8, 1), (3, 4)])
def test_a_sequence_alone_takes_as_long_timed_as_compiled(
    compiled: Compile, tensor: int, pipeline: int
) -> None:
    schedule = compiled(tensor, pipeline)
    token = timed(schedule)
    assert token.timeline.token_cycles == schedule.latency_cycles
    assert token.timeline.spent == schedule.timeline.spent
    assert token.interval_cycles == schedule.program.deskews.interval_cycles


def test_a_token_that_is_timed_already_compiles_to_the_same_program(
    compiled: Compile,
) -> None:
    schedule = compiled(2, 3)
    again = compile_token(schedule.plan, schedule.topology, timed=timed(schedule))
    machine = schedule.plan.task.machine
    digests = [
        verify(each.program, each.topology, machine).digest
        for each in (schedule, again)
    ]
    assert digests[0] == digests[1]


def test_the_timeline_of_a_token_is_that_of_its_slowest_replica(
    compiled: Compile,
) -> None:
    token = timed(compiled(3, 1, data=5))
    cycles = [timeline.token_cycles for timeline in token.timelines]
    assert len(cycles) == 5
    assert token.timeline.token_cycles == max(cycles) > min(cycles)


def test_a_token_goes_around_a_link_that_is_out_of_order(compiled: Compile) -> None:
    schedule = compiled(2, 3)
    link = int(schedule.program.trains.link[0])
    broken = Outage(links=frozenset({link}))
    around = compile_token(schedule.plan, schedule.topology, broken)
    assert not {link, link ^ 1} & set(around.program.trains.link.tolist())
    assert around.latency_cycles > schedule.latency_cycles


def test_sequences_that_leave_no_time_to_deskew_are_refused_before_a_long_search(
    compiled: Compile,
) -> None:
    # Two epochs hold a phase of a chip alone, but no deskew beside one of a group.
    schedule = compiled(3, 4, sequences=2)
    short = schedule.plan.task.machine.with_settings({"deskew.interval_epochs": 2})
    task = schedule.plan.task._replace(machine=short)
    plan = type(schedule.plan)(
        task, schedule.plan.strategy, schedule.plan.sequences, schedule.plan.stages
    )
    with pytest.raises(ScheduleError, match=r"deskew\.interval_epochs"):
        compile_token(plan, schedule.topology, patient=False)


@pytest.mark.parametrize("sequences", [1, 3])
def test_chips_at_work_for_longer_than_drift_allows_pause_to_deskew(
    sequences: int,
) -> None:
    # In 43,867 cycles such crystals drift half an epoch. A stage of an encoder on one
    # chip works longer, and sends nothing until the end.
    machine = load_machine().with_settings(
        {"clock.drift_ppm": 1_400, "link.fifo_vectors": 640}
    )
    node = select_topology(8)
    plan = plan_sharding(
        Task(load_model("bert-base"), machine, 1, 16, 1),
        Strategy(tensor=1, pipeline=2),
        node.active.astype(np.int64),
        sequences=sequences,
    )
    token = time_token(plan, node)
    assert max(token.timeline.stage_cycles) > 43_867
    schedule = compile_token(plan, node, timed=token)
    before, after = token.timeline.spent, schedule.timeline.spent
    # One pause in the stage that nothing breaks up; all else stays.
    assert after == before._replace(deskew=before.deskew + 252)
    verify(schedule.program, node, machine, plan=plan)
    run = replay(schedule.program, node, machine, seed=1, tokens=3)
    assert run.violations == ()
