from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NoReturn

import numpy as np
import pytest

from chip.dataflow import Pass
from compiler.compile_decode import time_token
from compiler.ir.schedule import Schedule
from compiler.ir.timeline import ComputeEntry
from compiler.scheduling.plan_scheduler import PlanScheduler, numbered_pass
from sharding.parallelism.grid import Grid
from sharding.workloads.workload_planner import plan_workload
from specs.errors import ScheduleError
from specs.machine import load_machine
from specs.model import load_model
from workloads.graphs.workload import load_workload

Compile = Callable[..., Schedule]


def scheduler_of(schedule: Schedule) -> PlanScheduler:
    return PlanScheduler(schedule.plan, schedule.topology)


def test_chips_that_have_no_gap_may_deskew_less_often_as_far_as_drift_allows(
    compiled: Compile,
) -> None:
    scheduler = scheduler_of(compiled(2, 2))
    assert scheduler.longer_intervals(2_520) == [2_520, 5_040, 10_080, 20_160]
    assert scheduler.longer_intervals(10**9) == [10**9]


def test_an_interval_of_the_settings_is_kept_and_no_timeline_is_asked_for(
    compiled: Compile,
) -> None:
    def unused() -> NoReturn:
        raise AssertionError

    scheduler = scheduler_of(compiled(2, 2, deskew__interval_epochs=20))
    assert scheduler.interval_cycles(unused) == 20 * 252
    assert scheduler.longer_intervals(20 * 252) == [20 * 252]


def test_the_interval_of_several_timelines_is_that_of_the_one_that_needs_most(
    compiled: Compile,
) -> None:
    short, long = compiled(2, 2), compiled(2, 1)
    scheduler = scheduler_of(short)
    timelines = [short.timeline, long.timeline]
    alone = [scheduler.interval_cycles(partial(list, [one])) for one in timelines]
    assert scheduler.interval_cycles(lambda: timelines) == max(alone)
    assert alone[0] != alone[1]


def test_replicas_on_nodes_alike_have_equal_timelines(compiled: Compile) -> None:
    schedule = compiled(8, 1, data=9, topology="rack")
    replicas = scheduler_of(schedule).replicas(schedule.plan, 25_200)
    assert len(replicas) == 9
    assert len({timeline.spent for timeline in replicas}) == 1
    first = [timeline.entries[0] for timeline in replicas]
    chips = [int(e.chips[0]) for e in first if isinstance(e, ComputeEntry)]
    assert chips == list(range(0, 72, 8))


def test_a_longer_deskew_interval_has_wider_guard_bands(compiled: Compile) -> None:
    schedule = compiled(2, 3)
    scheduler = scheduler_of(schedule)
    guards = [
        scheduler.timelines([schedule.plan], cycles)[0].spent.guard
        for cycles in (25_200, 252_000)
    ]
    assert guards[0] < guards[1]


def test_a_program_carries_out_the_timelines_that_it_is_made_of(
    compiled: Compile,
) -> None:
    schedule = compiled(2, 3)
    timed = time_token(schedule.plan, schedule.topology)
    timeline, program = timed.scheduler.program(
        schedule.plan, timed.timelines, timed.interval_cycles
    )
    assert timeline is timed.timelines[0]
    assert program.token_cycles == program.period_cycles == timeline.token_cycles
    assert program.leader == 0
    assert program.interval_cycles == 0
    weights = [stage.memory.weights.sum() for stage in schedule.plan.stages]
    assert program.resident.weights.sum() == sum(weights)


def test_an_interval_without_a_gap_for_a_deskew_is_refused(compiled: Compile) -> None:
    schedule = compiled(2, 1)
    timed = time_token(schedule.plan, schedule.topology)
    with pytest.raises(ScheduleError, match=r"no gap of 252 cycles.*within 300 cycles"):
        timed.scheduler.program(schedule.plan, timed.timelines, 300)


def test_a_scheduled_pass_computes_the_positions_of_its_plan(
    compiled: Compile,
) -> None:
    plan = compiled(2, 1).plan
    chunk = plan.task._replace(context=96, query_tokens=32, answer_tokens=4, batch=3)
    assert numbered_pass(replace(plan, task=chunk)) == Pass(96, 32, 4, 3)
    # An encoder computes and answers all positions, whatever else is asked.
    encoder = chunk._replace(model=load_model("bert-base"))
    assert numbered_pass(replace(plan, task=encoder)) == Pass(96, 96, 96, 3)


def test_an_iteration_of_a_graph_has_no_positions_but_one() -> None:
    grid = Grid(column=1, row=1)
    plan = plan_workload(load_workload("mlp"), load_machine(), grid, np.arange(1))
    assert numbered_pass(plan) == Pass(1, 1, 1, 1)
