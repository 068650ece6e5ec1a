from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chip.functional_units import SlicePort
from chip.lowering import lower
from chip.operator_work import LoadWork, ProductWork, adding
from chip.program import Opcode, OperatorKind, Program, Slice
from compiler.hazard_rules.slices import last_cycle
from compiler.hazard_rules.streams import (
    check_buffers,
    check_lengths,
    check_loads,
    check_streams,
)
from compiler.ir.schedule import Schedule
from compiler.verify import verify
from specs.errors import VerificationError
from specs.machine import load_machine

Compile = Callable[..., Schedule]
ProgramOf = Callable[..., Program]
MACHINE = load_machine()


@pytest.fixture(scope="module")
def good(compiled: Compile) -> Schedule:
    """Return a program in which weights are loaded ahead of products."""
    return compiled(2, 4, chip__weight_feed_bytes_per_cycle=100)


def refused(schedule: Schedule, program: Program, match: str) -> None:
    with pytest.raises(VerificationError, match=match):
        verify(program, schedule.topology, schedule.plan.task.machine)


def with_code(program: Program, row: int, **values: int) -> Program:
    """Return the program with some columns of one instruction changed."""
    columns = {name: getattr(program.instructions, name).copy() for name in values}
    for name, value in values.items():
        columns[name][row] = value
    return replace(program, instructions=replace(program.instructions, **columns))


def loads(program: Program) -> list[int]:
    rows = np.flatnonzero(program.instructions.opcode == Opcode.LOAD).tolist()
    assert rows, "this program loads nothing ahead"
    return rows


@pytest.mark.parametrize(
    ("opcode", "part"),
    [(Opcode.MATMUL, Slice.MXM), (Opcode.VECTOR, Slice.VXM), (Opcode.READ, Slice.MEM)],
)
def test_an_operator_shorter_than_its_slices_work_is_refused(
    good: Schedule, opcode: Opcode, part: Slice
) -> None:
    code = good.program.instructions
    long = (code.opcode == opcode) & (code.duration_cycles > 1)
    row = int(np.flatnonzero(long)[-1])
    takes, cycle = int(code.duration_cycles[row]), int(code.start_cycle[row])
    refused(
        good,
        with_code(good.program, row, duration_cycles=takes - 1),
        rf"an operator is not as long as what its slices do: chip {code.chip[row]} "
        rf"{part.name} is taken for {takes - 1} cycles at cycle {cycle}, and kind "
        rf"\d+ takes {takes}",
    )


def test_a_load_that_is_left_out_is_missed_by_its_product(good: Schedule) -> None:
    code = good.program.instructions
    row = loads(good.program)[0]
    fewer = replace(
        code, **{n: np.delete(getattr(code, n), row) for n in code.__slots__}
    )
    refused(
        good,
        replace(good.program, instructions=fewer),
        rf"what is loaded ahead is not what a product relies on: chip "
        rf"{code.chip[row]}, operator {code.operator[row]}: -[\d,]+ bytes too many",
    )


def test_a_load_for_a_later_product_is_overwritten_by_the_next(good: Schedule) -> None:
    # A load that comes before the product ahead of its own.
    code = good.program.instructions
    for row in loads(good.program):
        before = np.flatnonzero(
            (code.chip == code.chip[row])
            & (code.opcode == Opcode.MATMUL)
            & (code.operator < code.operator[row])
        )
        if len(before) > 1:
            break
    first = int(before[-1])
    moved = int(code.start_cycle[first]) - int(code.duration_cycles[row])
    program = with_code(good.program, row, start_cycle=moved)
    refused(
        good,
        program,
        rf"weights loaded ahead are lost: chip {code.chip[row]} loads for operator "
        rf"\d+ at cycle \d+, but operator {code.operator[row]} loads next",
    )


def test_weights_that_are_installed_before_they_are_there_are_refused(
    good: Schedule,
) -> None:
    kinds = list(good.program.kinds)
    number = next(n for n, k in enumerate(kinds) if isinstance(k.work, LoadWork))
    late = tuple(
        step._replace(start_cycle=10_000) if step.port is SlicePort.MXM_LOAD else step
        for step in kinds[number].steps
    )
    kinds[number] = OperatorKind(kinds[number].work, late)
    refused(
        good,
        replace(good.program, kinds=tuple(kinds)),
        r"weight buffers hold too much or too little: chip \d+ MXM: -[\d,]+ bytes at "
        r"cycle \d+, and the buffers hold 409,600",
    )


def test_more_weights_than_the_buffers_hold_are_refused(good: Schedule) -> None:
    # A program made for larger buffers.
    most = max(
        kind.work.preloaded_bytes
        for kind in good.program.kinds
        if isinstance(kind.work, ProductWork)
    )
    machine = good.plan.task.machine.with_settings(
        {"chip.mxm_buffer_bytes": int(most) - 1}
    )
    with pytest.raises(
        VerificationError, match="what is loaded ahead is not there: operator kind"
    ):
        verify(good.program, good.topology, machine)


def test_streams_that_carry_two_things_are_refused(compiled: Compile) -> None:
    # Loads with all eastward streams to themselves, beside vectors from the ports.
    schedule = compiled(8, 2, chip__weight_feed_bytes_per_cycle=100)
    code = schedule.program.instructions
    kinds = [
        OperatorKind(
            kind.work,
            tuple(
                step._replace(east=32) if step.port is SlicePort.MEM_READ else step
                for step in kind.steps
            ),
        )
        if isinstance(kind.work, LoadWork)
        else kind
        for kind in schedule.program.kinds
    ]
    chips = "|".join(str(chip) for chip in np.unique(code.chip).tolist())
    refused(
        schedule,
        replace(schedule.program, kinds=tuple(kinds)),
        rf"streams are taken twice: chip ({chips}): [\d,]+ bytes east at cycle \d+, "
        r"and 32 streams carry 10,240",
    )


def test_sequences_in_flight_never_lose_what_was_loaded(compiled: Compile) -> None:
    schedule = compiled(2, 4, sequences=4, chip__weight_feed_bytes_per_cycle=100)
    certificate = verify(
        schedule.program, schedule.topology, schedule.plan.task.machine
    )
    loaded = len(loads(schedule.program))
    checked = certificate.checks["weights loaded ahead are for the next product"]
    assert checked > 4 * loaded


LOAD = LoadWork(fed_bytes=1_000, stored_bytes=1_000)
PRODUCT = ProductWork(
    weights=1_000,
    stored_bytes=1_000,
    operand_bytes=1,
    batch=1,
    input_bytes=10,
    output_bytes=10,
    ready_bytes=1_000,
    preloaded_bytes=1_000,
)
ADDITION = adding(3_200, 16, 2)
KINDS = [
    OperatorKind(work, lower(MACHINE.chip, work)) for work in (LOAD, PRODUCT, ADDITION)
]


def row(opcode: Opcode, start: int, kind: int, operator: int, **rest: int) -> Any:
    return {
        "chip": 3,
        "opcode": int(opcode),
        "start_cycle": start,
        "duration_cycles": last_cycle(KINDS[kind]),
        "kind": kind,
        "operator": operator,
        **rest,
    }


def test_an_operator_lasts_as_long_as_its_slices(program_of: ProgramOf) -> None:
    cycles = last_cycle(KINDS[2])
    good = program_of([row(Opcode.VECTOR, 0, 2, 0)], kinds=KINDS)
    assert check_lengths(good) == 1
    for other in (cycles - 1, cycles + 1):
        wrong = row(Opcode.VECTOR, 0, 2, 0, duration_cycles=other)
        with pytest.raises(VerificationError, match=rf"kind 2 takes {cycles}$"):
            check_lengths(program_of([wrong], kinds=KINDS))


def product(start: int, operator: int) -> list[Any]:
    """Return a product: the read of its weights, and its multiplication."""
    return [
        row(Opcode.READ, start, 1, operator),
        row(Opcode.MATMUL, start, 1, operator),
    ]


def test_a_product_relies_on_the_weights_that_were_loaded(
    program_of: ProgramOf,
) -> None:
    load = row(Opcode.LOAD, 0, 0, 1)
    good = program_of([load, *product(1_000, 1)], kinds=KINDS)
    # The load and the read.
    assert check_loads(good) == 2
    assert check_buffers(good, MACHINE) > 0
    for rows, extra in (([load], "1,000"), (product(1_000, 1), "-1,000")):
        with pytest.raises(VerificationError, match=rf"operator 1: {extra} bytes too"):
            check_loads(program_of(rows, kinds=KINDS))


def test_weights_are_installed_after_they_were_loaded(program_of: ProgramOf) -> None:
    early = [*product(0, 1), row(Opcode.LOAD, 1_000, 0, 1)]
    with pytest.raises(VerificationError, match=r"chip 3 MXM: -1,000 bytes at cycle"):
        check_buffers(program_of(early, kinds=KINDS), MACHINE)


def test_weights_of_two_products_do_not_mix(program_of: ProgramOf) -> None:
    rows = [
        row(Opcode.LOAD, 0, 0, 2),
        row(Opcode.LOAD, 300, 0, 1),
        *product(1_000, 1),
        *product(2_000, 2),
    ]
    with pytest.raises(
        VerificationError, match=r"chip 3 loads for operator 2 at cycle"
    ):
        check_loads(program_of(rows, kinds=KINDS))


def test_operators_and_trains_share_the_streams(program_of: ProgramOf) -> None:
    kinds = [
        OperatorKind(
            ADDITION, tuple(step._replace(east=0, west=0) for step in KINDS[2].steps)
        )
    ]
    first, *others = kinds[0].steps
    kinds[0] = OperatorKind(ADDITION, (first._replace(east=32), *others))
    train = {
        "chip": 3,
        "opcode": int(Opcode.SEND),
        "duration_cycles": 24,
        "train": 0,
    }
    operator = row(Opcode.VECTOR, 1_000, 0, 0)
    operator["duration_cycles"] = last_cycle(kinds[0])
    end = 1_000 + last_cycle(kinds[0]) + MACHINE.chip.send_cycles
    trains = [(0, 1, end, end + 300, -1)]
    good = program_of(
        [operator, train | {"start_cycle": end}], trains=trains, kinds=kinds
    )
    # The train is on its stream from SRAM to the wire.
    assert check_streams(good, MACHINE) == 2
    met = program_of(
        [operator, train | {"start_cycle": end - 1}], trains=trains, kinds=kinds
    )
    with pytest.raises(VerificationError, match=r"^streams are taken twice: chip 3: "):
        check_streams(met, MACHINE)
