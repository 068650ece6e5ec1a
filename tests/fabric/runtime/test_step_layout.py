from collections.abc import Callable

import numpy as np

from chip.program import Opcode
from compiler.ir.schedule import Schedule
from fabric.runtime.step_layout import StepLayout, lay_out

Compile = Callable[..., Schedule]


def layout_of(compiled: Compile) -> tuple[Schedule, StepLayout]:
    schedule = compiled(2, 4)
    return schedule, lay_out(schedule.program)


def test_instructions_of_one_chip_and_cycle_are_one_step(compiled: Compile) -> None:
    schedule, layout = layout_of(compiled)
    code = schedule.program.instructions
    places = list(zip(code.chip.tolist(), code.start_cycle.tolist(), strict=True))
    steps = list(zip(layout.chip.tolist(), layout.cycle.tolist(), strict=True))
    assert steps == sorted(set(places))
    assert [steps[step] for step in layout.step_of_instruction.tolist()] == places
    assert len(layout) == len(steps) < len(code)


def test_a_train_is_sent_and_taken_in_the_steps_of_its_instructions(
    compiled: Compile,
) -> None:
    schedule, layout = layout_of(compiled)
    trains, topology = schedule.program.trains, schedule.topology
    assert np.array_equal(layout.cycle[layout.send_step], trains.wire_cycle)
    assert np.array_equal(layout.cycle[layout.take_step], trains.receive_cycle)
    sender, receiver = topology.source[trains.link], topology.target[trains.link]
    assert np.array_equal(layout.chip[layout.send_step], sender)
    assert np.array_equal(layout.chip[layout.take_step], receiver)


def test_marks_are_the_begin_and_the_end_of_the_token(compiled: Compile) -> None:
    schedule, layout = layout_of(compiled)
    program = schedule.program
    marks = [layout.begin_step, layout.end_step]
    assert layout.cycle[marks].tolist() == [0, program.token_cycles]
    assert layout.chip[marks].tolist() == [program.leader] * 2
    assert (program.instructions.opcode == Opcode.MARK).sum() == 2
