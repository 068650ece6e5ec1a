from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chip.functional_units import SlicePort
from chip.lowering import lower
from chip.operator_work import (
    LoadWork,
    LookupWork,
    ProductWork,
    Shape,
    VectorWork,
    adding,
)
from chip.program import Opcode, OperatorKind, Program, Slice
from compiler.hazard_rules.slices import last_cycle
from compiler.hazard_rules.streams import check_lengths, check_streams
from compiler.ir.schedule import Schedule
from compiler.verify import verify
from specs.errors import VerificationError
from specs.machine import load_machine

Compile = Callable[..., Schedule]
ProgramOf = Callable[..., Program]
MACHINE = load_machine()


def refused(schedule: Schedule, program: Program, match: str) -> None:
    with pytest.raises(VerificationError, match=match):
        verify(program, schedule.topology, schedule.plan.task.machine)


def with_code(program: Program, row: int, **values: int) -> Program:
    """Return the program with some columns of one instruction changed."""
    columns = {name: getattr(program.instructions, name).copy() for name in values}
    for name, value in values.items():
        columns[name][row] = value
    return replace(program, instructions=replace(program.instructions, **columns))


@pytest.mark.parametrize(
    ("opcode", "part", "work"),
    [
        (Opcode.MATMUL, Slice.MXM, ProductWork),
        (Opcode.VECTOR, Slice.VXM, VectorWork),
        (Opcode.READ, Slice.MEM, LookupWork),
    ],
)
def test_an_operator_shorter_than_its_slices_work_is_refused(
    ahead: Schedule, opcode: Opcode, part: Slice, work: type
) -> None:
    code = ahead.program.instructions
    of = np.array([isinstance(kind.work, work) for kind in ahead.program.kinds])
    row = int(np.flatnonzero((code.opcode == opcode) & of[code.kind])[-1])
    takes, cycle = int(code.duration_cycles[row]), int(code.start_cycle[row])
    refused(
        ahead,
        with_code(ahead.program, row, duration_cycles=takes - 1),
        rf"an operator is not as long as what its slices do: chip {code.chip[row]} "
        rf"{part.name} is taken for {takes - 1} cycles at cycle {cycle}, and kind "
        rf"\d+ takes {takes}",
    )


def test_streams_that_carry_two_things_are_refused(compiled: Compile) -> None:
    # Loads with all eastward streams to themselves, beside vectors from the ports.
    schedule = compiled(8, 2)
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


ADDITION = adding(3_200, 16, 2)
# Two rounds of one row, each loads in 40 cycles, installs in 12 and multiplies in one.
# Input vectors stream until the end of both.
PRODUCT = ProductWork(Shape((640,), (1280,)), 1, 640 * 1280, 1, 640, 2560)
LOAD = LoadWork(rounds=2, round_cycles=40, stored_bytes=640 * 1280)
KINDS = [
    OperatorKind(work, lower(MACHINE.chip, work)) for work in (ADDITION, PRODUCT, LOAD)
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
    cycles = last_cycle(KINDS[0])
    good = program_of([row(Opcode.VECTOR, 0, 0, 0)], kinds=KINDS)
    assert check_lengths(good) == 1
    for other in (cycles - 1, cycles + 1):
        wrong = row(Opcode.VECTOR, 0, 0, 0, duration_cycles=other)
        with pytest.raises(VerificationError, match=rf"kind 0 takes {cycles}$"):
            check_lengths(program_of([wrong], kinds=KINDS))


@pytest.mark.parametrize(
    ("opcode", "kind", "reads"), [(Opcode.READ, 1, 2 * 53), (Opcode.LOAD, 2, 2 * 40)]
)
def test_sram_is_taken_until_all_is_read(
    program_of: ProgramOf, opcode: Opcode, kind: int, reads: int
) -> None:
    for cycles in (reads, reads + 5):
        long = row(opcode, 0, kind, 0, duration_cycles=cycles)
        assert check_lengths(program_of([long], kinds=KINDS)) == 1
    short = row(opcode, 0, kind, 0, duration_cycles=reads - 1)
    with pytest.raises(VerificationError, match=rf"kind {kind} takes {reads}$"):
        check_lengths(program_of([short], kinds=KINDS))


def test_operators_and_trains_share_the_streams(program_of: ProgramOf) -> None:
    kinds = [
        OperatorKind(
            ADDITION, tuple(step._replace(east=0, west=0) for step in KINDS[0].steps)
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
