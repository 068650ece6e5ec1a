from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chip.functional_units import SliceInstruction, SliceOperation, SlicePort
from chip.lowering import lower
from chip.operator_work import LookupWork, ProductWork, VectorWork, adding
from chip.program import OperatorKind, Program
from compiler.hazard_rules.slices import (
    Phase,
    check_amounts,
    check_kinds,
    last_cycle,
    phases,
)
from compiler.ir.schedule import Schedule
from compiler.verify import verify
from specs.errors import VerificationError
from specs.machine import load_machine

ProgramOf = Callable[..., Program]
MACHINE = load_machine()
ADDED = adding(3_200, 16, 2)


def refused(schedule: Schedule, program: Program, match: str) -> None:
    with pytest.raises(VerificationError, match=match):
        verify(program, schedule.topology, schedule.plan.task.machine)


def kind_of(program: Program, work: type, port: SlicePort) -> tuple[int, int]:
    """Return the first kind of some work, and its first step on a port."""
    number = next(n for n, k in enumerate(program.kinds) if isinstance(k.work, work))
    steps = program.kinds[number].steps
    return number, next(row for row, step in enumerate(steps) if step.port is port)


def changed(program: Program, number: int, row: int, **values: Any) -> Program:
    """Return the program with one slice instruction of one kind changed."""
    kinds = list(program.kinds)
    steps = list(kinds[number].steps)
    steps[row] = steps[row]._replace(**values)
    kinds[number] = OperatorKind(kinds[number].work, tuple(steps))
    return replace(program, kinds=tuple(kinds))


def step_of(program: Program, number: int, row: int) -> SliceInstruction:
    return program.kinds[number].steps[row]


def test_a_slice_that_a_chip_has_not_is_refused(ahead: Schedule) -> None:
    number, row = kind_of(ahead.program, ProductWork, SlicePort.MXM_MULTIPLY)
    cycle = step_of(ahead.program, number, row).start_cycle
    refused(
        ahead,
        changed(ahead.program, number, row, first=1),
        rf"no such slice: operator kind {number}: MXM_MULTIPLY 4 at cycle {cycle}, and "
        r"a chip has 4",
    )


def test_a_slice_that_does_two_things_at_a_time_is_refused(ahead: Schedule) -> None:
    # The input vectors from the first slice of the weights.
    number, _ = kind_of(ahead.program, ProductWork, SlicePort.MXM_LOAD)
    steps = ahead.program.kinds[number].steps
    rows = [n for n, step in enumerate(steps) if step.port is SlicePort.MEM_READ]
    refused(
        ahead,
        changed(ahead.program, number, rows[1], first=0),
        rf"a slice does two things: operator kind {number}: MEM_READ of slice 0 is "
        r"busy until cycle \d+ and starts again at cycle \d+",
    )


def test_a_bank_that_is_read_and_written_at_a_time_is_refused(ahead: Schedule) -> None:
    number, row = kind_of(ahead.program, VectorWork, SlicePort.MEM_WRITE)
    refused(
        ahead,
        changed(ahead.program, number, row, first=0, bank=0, start_cycle=0),
        rf"a slice does two things: operator kind {number}: MEM bank 0 of slice 0 is "
        r"busy until cycle \d+ and starts again at cycle 0",
    )


@pytest.mark.parametrize("side", ["east", "west"])
def test_more_streams_than_there_are_are_refused(ahead: Schedule, side: str) -> None:
    number, row = kind_of(ahead.program, VectorWork, SlicePort.MEM_READ)
    match = rf"too many streams: operator kind {number}: .*33 {side} .*at cycle 0, and"
    refused(ahead, changed(ahead.program, number, row, **{side: 33}), match)


def test_more_bytes_than_a_slice_reads_are_refused(ahead: Schedule) -> None:
    number, row = kind_of(ahead.program, LookupWork, SlicePort.MEM_READ)
    step = step_of(ahead.program, number, row)
    room = step.units * step.duration_cycles * 16
    refused(
        ahead,
        changed(ahead.program, number, row, bytes=room + 1),
        rf"more bytes than slices move: operator kind {number}: MEM_READ 0-\d+ at "
        rf"cycle 0: {room + 1:,} bytes in 1 x \d+ cycles, room for {room:,}",
    )


def test_weights_that_come_faster_than_they_are_fed_are_refused(
    ahead: Schedule,
) -> None:
    number, row = kind_of(ahead.program, ProductWork, SlicePort.MXM_LOAD)
    times = step_of(ahead.program, number, row).repeats
    # A round of 1,024 B in ten cycles.
    refused(
        ahead,
        changed(ahead.program, number, row, duration_cycles=10),
        rf"more bytes than slices move: operator kind {number}: MXM_LOAD 0-3 .* "
        rf"{times * 1024:,} bytes in {times} x 10 cycles, room for {times * 1000:,}",
    )


@pytest.mark.parametrize(
    ("port", "field", "what"),
    [
        (SlicePort.MEM_READ, "bytes", "read"),
        (SlicePort.MEM_WRITE, "bytes", "written"),
        (SlicePort.MXM_MULTIPLY, "macs", "multiplied"),
        (SlicePort.MXM_LOAD, "bytes", "loaded"),
    ],
)
def test_slices_that_do_less_than_is_asked_are_refused(
    ahead: Schedule, port: SlicePort, field: str, what: str
) -> None:
    number, _ = kind_of(ahead.program, ProductWork, SlicePort.MXM_LOAD)
    steps = ahead.program.kinds[number].steps
    row = next(row for row, step in enumerate(steps) if step.port is port)
    amount = getattr(step_of(ahead.program, number, row), field)
    refused(
        ahead,
        changed(ahead.program, number, row, **{field: amount - 1}),
        rf"a kind of operator does something else: operator kind {number}, product: "
        rf"[\d,]+ are {what}, [\d,]+ are asked for",
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"ready_rounds": 1}, "2 rounds of tiles are loaded ahead, 1 can be known"),
        # Both are read ahead, and half as much of the matrix.
        ({"preloaded_bytes": 1}, r"1 bytes are read ahead of [\d,]+, which are 2 of"),
    ],
)
def test_what_is_not_known_yet_cannot_be_loaded_ahead(
    ahead: Schedule, change: dict[str, Any], why: str
) -> None:
    kinds = list(ahead.program.kinds)
    number, _ = kind_of(ahead.program, ProductWork, SlicePort.MXM_INSTALL)
    work = kinds[number].work
    assert isinstance(work, ProductWork)
    assert work.preloaded_rounds == 2
    kinds[number] = kinds[number]._replace(work=work._replace(**change))
    program = replace(ahead.program, kinds=tuple(kinds))
    if "preloaded_bytes" in change:
        # The instructions agree with what the work says.
        missing = work.preloaded_bytes - change["preloaded_bytes"]
        read = step_of(program, number, 0).bytes
        program = changed(program, number, 0, bytes=read + missing)
    with pytest.raises(
        VerificationError,
        match=rf"what is loaded ahead is not there: operator kind {number}: {why}",
    ):
        check_amounts(program, ahead.plan.task.machine)


def test_no_more_rounds_load_ahead_than_the_buffers_hold(ahead: Schedule) -> None:
    # A program made for larger buffers.
    small = ahead.plan.task.machine.with_settings({"chip.mxm_buffer_bytes": 2047})
    with pytest.raises(
        VerificationError,
        match=r"what is loaded ahead is not there: .* 2 rounds of tiles .* and 1 held",
    ):
        verify(ahead.program, ahead.topology, small)


def read(start: int, duration: int, *, first: int = 0, **rest: int) -> SliceInstruction:
    """Return the instruction of one MEM slice that reads nothing."""
    return SliceInstruction(
        port=SlicePort.MEM_READ,
        step=SliceOperation.READ,
        first=first,
        units=1,
        start_cycle=start,
        duration_cycles=duration,
        **rest,
    )


def test_streams_count_only_while_their_instructions_last() -> None:
    kind = OperatorKind(
        ADDED,
        (
            read(0, 10, east=3, west=1),
            read(5, 10, first=1, east=2),
            read(10, 5, first=2, west=4),
        ),
    )
    assert phases(kind) == [Phase(begin=0, end=15, east=5, west=4)]
    assert last_cycle(kind) == 15


def test_a_product_takes_its_streams_until_its_weights_are_read() -> None:
    # Weights in two rounds, at 0 and 20; sums from cycle 15 to 55.
    multiply = read(12, 8, repeats=2, interval_cycles=20)
    sums = read(15, 40, first=1, east=2)
    kind = OperatorKind(
        ADDED,
        (
            read(0, 10, east=3, west=1, repeats=2, interval_cycles=20),
            multiply._replace(port=SlicePort.MXM_MULTIPLY),
            sums._replace(port=SlicePort.MXM_ACCUMULATE),
        ),
    )
    assert phases(kind) == [Phase(0, 30, east=5, west=1), Phase(30, 55, east=2, west=0)]
    assert last_cycle(kind) == 55


def test_a_lowered_operator_keeps_to_slices_and_amounts(program_of: ProgramOf) -> None:
    kind = OperatorKind(ADDED, lower(MACHINE.chip, ADDED))
    program = program_of([], kinds=[kind, kind])
    assert check_kinds(program, MACHINE) == 2 * len(kind.steps)
    # Bytes read, written and loaded, and multiplications of each.
    assert check_amounts(program, MACHINE) == 8


@pytest.mark.parametrize(("start", "holds"), [(10, True), (9, False)])
def test_a_slice_port_runs_one_instruction_at_a_time(
    program_of: ProgramOf, start: int, holds: bool
) -> None:
    kind = OperatorKind(ADDED, (read(0, 10), read(start, 10)))
    program = program_of([], kinds=[kind])
    if holds:
        assert check_kinds(program, MACHINE) == 2
    else:
        with pytest.raises(
            VerificationError, match=r"is busy until cycle 10 and start"
        ):
            check_kinds(program, MACHINE)


@pytest.mark.parametrize(("interval", "holds"), [(10, True), (9, False)])
def test_repeats_of_an_instruction_do_not_overlap(
    program_of: ProgramOf, interval: int, holds: bool
) -> None:
    kind = OperatorKind(ADDED, (read(0, 10, repeats=3, interval_cycles=interval),))
    program = program_of([], kinds=[kind])
    if holds:
        assert check_kinds(program, MACHINE) == 1
    else:
        with pytest.raises(
            VerificationError, match=r"is busy until cycle 10 and starts again at .* 9$"
        ):
            check_kinds(program, MACHINE)


def test_streams_of_repeats_add_up(program_of: ProgramOf) -> None:
    # The second repeat meets what begins at cycle 20.
    both = (
        read(0, 10, east=20, repeats=2, interval_cycles=20),
        read(20, 10, first=1, east=13),
    )
    with pytest.raises(
        VerificationError, match=r"too many streams: .* 33 east and 0 west at cycle 20"
    ):
        check_kinds(program_of([], kinds=[OperatorKind(ADDED, both)]), MACHINE)
