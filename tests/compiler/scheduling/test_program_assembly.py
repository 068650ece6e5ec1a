from collections.abc import Callable

import pytest

from chip.dataflow import Pass
from compiler.cost.guard_band import Tolerance
from compiler.ir.schedule import Schedule
from compiler.scheduling.program_assembly import assemble_program, no_deskew_gap
from specs.errors import ScheduleError
from specs.machine import load_machine

Compile = Callable[..., Schedule]


def test_a_program_holds_the_resident_bytes_of_every_stage(compiled: Compile) -> None:
    schedule = compiled(2, 3)
    plan, machine = schedule.plan, schedule.plan.task.machine
    timeline, program = assemble_program(
        plan,
        schedule.topology,
        [schedule.timeline],
        reschedule=None,
        tolerance=Tolerance(machine=machine, tree_height=schedule.tree.height),
        interval_cycles=schedule.program.deskews.interval_cycles,
        passes=[Pass(16, 1, 1, 1)],
    )
    assert timeline is schedule.timeline
    assert program.guard_cycles == schedule.program.guard_cycles
    assert program.leader == schedule.program.leader
    for stage in plan.stages:
        assert (program.resident.weights[stage.chips] == stage.memory.weights).all()
        assert (program.resident.kv_cache[stage.chips] == stage.memory.kv_cache).all()
    shards = plan.task.shard_bytes().tolist()
    assert program.resident.activations[:6].tolist() == 3 * shards
    assert not program.resident.weights[6:].any()


def test_a_timeline_without_gaps_cannot_be_deskewed_more_often(
    compiled: Compile,
) -> None:
    schedule = compiled(2, 1)
    machine = schedule.plan.task.machine
    with pytest.raises(ScheduleError, match="some chip has no gap"):
        assemble_program(
            schedule.plan,
            schedule.topology,
            [schedule.timeline],
            reschedule=None,
            tolerance=Tolerance(machine=machine, tree_height=1),
            interval_cycles=300,
            passes=[],
        )


def test_the_error_of_a_chip_without_a_gap_names_what_may_help() -> None:
    machine = load_machine().with_settings({"clock.drift_ppm": 75})
    said = str(no_deskew_gap(machine, 5_040))
    assert "no gap of 252 cycles" in said
    assert "within 5040 cycles" in said
    assert said.endswith("steadier crystals (clock.drift_ppm below 75)")
