from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chip.functional_units import SliceInstruction, SliceOperation, SlicePort
from chip.lowering import lower
from chip.operator_work import LookupWork, ProductWork, VectorWork, adding
from chip.program import OperatorKind, Program
from compiler.hazard_rules.slices import busiest, check_amounts, check_kinds, last_cycle
from compiler.ir.schedule import Schedule
from compiler.verify import verify
from specs.errors import VerificationError
from specs.machine import load_machine

Compile = Callable[..., Schedule]
ProgramOf = Callable[..., Program]
MACHINE = load_machine()
ADDED = adding(3_200, 16, 2)


@pytest.fixture(scope="module")
def good(compiled: Compile) -> Schedule:
    """Return a program in which weights are loaded ahead of products."""
    return compiled(2, 4, chip__weight_feed_bytes_per_cycle=100)


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


def test_a_slice_that_a_chip_has_not_is_refused(good: Schedule) -> None:
    number, row = kind_of(good.program, ProductWork, SlicePort.MXM_MULTIPLY)
    cycle = step_of(good.program, number, row).start_cycle
    refused(
        good,
        changed(good.program, number, row, first=1),
        rf"no such slice: operator kind {number}: MXM_MULTIPLY 4 at cycle {cycle}, and "
        r"a chip has 4",
    )


def test_a_slice_that_does_two_things_at_a_time_is_refused(good: Schedule) -> None:
    number, row = kind_of(good.program, ProductWork, SlicePort.MEM_READ)
    refused(
        good,
        changed(good.program, number, row + 1, first=0),
        rf"a slice does two things: operator kind {number}: MEM_READ of slice 0 is "
        r"busy until cycle \d+ and starts to READ at cycle 0",
    )


def test_a_bank_that_is_read_and_written_at_a_time_is_refused(good: Schedule) -> None:
    number, row = kind_of(good.program, VectorWork, SlicePort.MEM_WRITE)
    refused(
        good,
        changed(good.program, number, row, first=0, bank=0, start_cycle=0),
        rf"a slice does two things: operator kind {number}: MEM bank 0 of slice 0 is "
        r"busy until cycle \d+ and starts to WRITE at cycle 0",
    )


@pytest.mark.parametrize("side", ["east", "west"])
def test_more_streams_than_there_are_are_refused(good: Schedule, side: str) -> None:
    number, row = kind_of(good.program, VectorWork, SlicePort.MEM_READ)
    match = rf"too many streams: operator kind {number}: .*33 {side} .*at cycle 0, and"
    refused(good, changed(good.program, number, row, **{side: 33}), match)


def test_more_bytes_than_a_slice_reads_are_refused(good: Schedule) -> None:
    number, row = kind_of(good.program, LookupWork, SlicePort.MEM_READ)
    step = step_of(good.program, number, row)
    room = step.units * step.duration_cycles * 320
    refused(
        good,
        changed(good.program, number, row, bytes=room + 1),
        rf"more bytes than slices move: operator kind {number}: MEM_READ 0-\d+ at "
        rf"cycle 0: {room + 1:,} bytes in \d+ cycles, room for {room:,}",
    )


def test_weights_that_come_faster_than_they_are_fed_are_refused(good: Schedule) -> None:
    number, row = kind_of(good.program, ProductWork, SlicePort.MXM_LOAD)
    refused(
        good,
        changed(good.program, number, row, duration_cycles=1, bytes=101),
        rf"more bytes than slices move: operator kind {number}: MXM_LOAD 0-3 .* 101 "
        r"bytes in 1 cycles, room for 100",
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
    good: Schedule, port: SlicePort, field: str, what: str
) -> None:
    number, row = kind_of(good.program, ProductWork, port)
    amount = getattr(step_of(good.program, number, row), field)
    refused(
        good,
        changed(good.program, number, row, **{field: amount - 1}),
        rf"a kind of operator does something else: operator kind {number}, product: "
        rf"[\d,]+ are {what}, [\d,]+ are asked for",
    )


def test_what_is_not_known_yet_cannot_be_loaded_ahead(good: Schedule) -> None:
    kinds = list(good.program.kinds)
    number = next(
        n
        for n, kind in enumerate(kinds)
        if isinstance(kind.work, ProductWork) and kind.work.preloaded_bytes
    )
    work = kinds[number].work
    assert isinstance(work, ProductWork)
    late = work._replace(ready_bytes=work.preloaded_bytes - 1)
    kinds[number] = kinds[number]._replace(work=late)
    refused(
        good,
        replace(good.program, kinds=tuple(kinds)),
        rf"what is loaded ahead is not there: operator kind {number}: ",
    )


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
    assert busiest(kind) == (5, 4)
    assert last_cycle(kind) == 15


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
