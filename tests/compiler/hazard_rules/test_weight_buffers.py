"""What the rules of weight buffers refuse: rounds that are not there, or too many."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chip.functional_units import SlicePort
from chip.lowering import lower
from chip.operator_cycles import load_of, preloaded
from chip.operator_work import LoadWork, ProductWork, Shape, VectorWork, Work, adding
from chip.program import Opcode, OperatorKind, Program
from compiler.hazard_rules.slices import last_cycle
from compiler.hazard_rules.weight_buffers import check_buffers, check_loads
from compiler.ir.schedule import Schedule
from compiler.verify import verify
from specs.errors import VerificationError
from specs.machine import MachineSpec, load_machine

Compile = Callable[..., Schedule]
ProgramOf = Callable[..., Program]
# Buffers of two rounds.
MACHINE = load_machine().with_settings({"chip.mxm_buffer_bytes": 819_200})
OVERLAP = MACHINE.with_settings({"chip.overlap_load": True})
# Three rounds of INT8: each loads in 40 cycles, installs in 12 and multiplies in 8.
WHOLE = ProductWork(
    Shape((960,), (1280,)), 8, 960 * 1280, 1, 7_680, 20_480, ready_rounds=3
)


def refused(schedule: Schedule, program: Program, match: str) -> None:
    with pytest.raises(VerificationError, match=match):
        verify(program, schedule.topology, schedule.plan.task.machine)


def refusal(match: str, *, unless: bool) -> AbstractContextManager[object]:
    """Return a context that must be refused, unless it must hold."""
    return nullcontext() if unless else pytest.raises(VerificationError, match=match)


def loads(program: Program) -> list[int]:
    rows = np.flatnonzero(program.instructions.opcode == Opcode.LOAD).tolist()
    assert rows, "this program loads nothing ahead"
    return rows


def starting(program: Program, row: int, cycle: int) -> Program:
    """Return the program with one instruction at another cycle."""
    start = program.instructions.start_cycle.copy()
    start[row] = cycle
    code = replace(program.instructions, start_cycle=start)
    return replace(program, instructions=code)


def test_a_load_that_is_left_out_is_missed_by_its_product(ahead: Schedule) -> None:
    code = ahead.program.instructions
    row = loads(ahead.program)[0]
    fewer = replace(
        code, **{n: np.delete(getattr(code, n), row) for n in code.__slots__}
    )
    refused(
        ahead,
        replace(ahead.program, instructions=fewer),
        rf"what is loaded ahead is not what a product relies on: chip "
        rf"{code.chip[row]}, operator {code.operator[row]}: -2 rounds of tiles too",
    )


def test_a_load_for_a_later_product_is_overwritten_by_the_next(
    ahead: Schedule,
) -> None:
    # A load that comes before the product ahead of its own.
    code = ahead.program.instructions
    for row in loads(ahead.program):
        before = np.flatnonzero(
            (code.chip == code.chip[row])
            & (code.opcode == Opcode.MATMUL)
            & (code.operator < code.operator[row])
        )
        if len(before) > 1:
            break
    first = int(before[-1])
    moved = int(code.start_cycle[first]) - int(code.duration_cycles[row])
    refused(
        ahead,
        starting(ahead.program, row, moved),
        rf"weights loaded ahead are lost: chip {code.chip[row]} loads for operator "
        rf"{code.operator[row]} at cycle {moved}, but operator {code.operator[first]} "
        r"loads next",
    )


def test_weights_that_are_installed_before_they_are_there_are_refused(
    ahead: Schedule,
) -> None:
    kinds = list(ahead.program.kinds)
    number = next(n for n, k in enumerate(kinds) if isinstance(k.work, LoadWork))
    late = tuple(
        step._replace(start_cycle=10_000) if step.port is SlicePort.MXM_LOAD else step
        for step in kinds[number].steps
    )
    kinds[number] = OperatorKind(kinds[number].work, late)
    with pytest.raises(
        VerificationError,
        match=r"weight buffers hold too much or too little: chip \d+ MXM: -2 rounds of "
        r"tiles at cycle \d+, and the buffers hold 2",
    ):
        check_buffers(
            replace(ahead.program, kinds=tuple(kinds)), ahead.plan.task.machine
        )


def test_sequences_in_flight_never_lose_what_was_loaded(compiled: Compile) -> None:
    schedule = compiled(2, 4, sequences=4)
    certificate = verify(
        schedule.program, schedule.topology, schedule.plan.task.machine
    )
    loaded = len(loads(schedule.program))
    checked = certificate.checks["weights loaded ahead are for the next product"]
    assert checked > 4 * loaded


def lowered(machine: MachineSpec, *works: Work) -> list[OperatorKind]:
    return [OperatorKind(work, lower(machine.chip, work)) for work in works]


def row(
    kinds: list[OperatorKind], opcode: Opcode, start: int, kind: int, operator: int
) -> dict[str, int]:
    return {
        "chip": 3,
        "opcode": int(opcode),
        "start_cycle": start,
        "duration_cycles": last_cycle(kinds[kind]),
        "kind": kind,
        "operator": operator,
    }


def product(kinds: list[OperatorKind], start: int, operator: int) -> list[Any]:
    """Return a product of the second kind: the read of its weights, and its rounds."""
    return [
        row(kinds, Opcode.READ, start, 1, operator),
        row(kinds, Opcode.MATMUL, start, 1, operator),
    ]


def kinds_of(
    machine: MachineSpec, rounds: int = 1, work: ProductWork = WHOLE
) -> list[OperatorKind]:
    """Return a load of rounds, the product that relies on them, and a sum."""
    return lowered(
        machine,
        load_of(machine.chip, work, 0, rounds),
        preloaded(machine.chip, work, rounds),
        adding(3_200, 16, 2),
    )


def test_a_product_relies_on_the_rounds_that_were_loaded(
    program_of: ProgramOf,
) -> None:
    kinds = kinds_of(MACHINE, 2)
    load, rounds = row(kinds, Opcode.LOAD, 0, 0, 1), product(kinds, 1_000, 1)
    good = program_of([load, *rounds], kinds=kinds)
    # The load and the read.
    assert check_loads(good, MACHINE) == 2
    # Two rounds come, the product holds no more, and they leave.
    assert check_buffers(good, MACHINE) == 3
    for rows, extra in (([load], 2), (rounds, -2), ([load, load, *rounds], 2)):
        with pytest.raises(
            VerificationError, match=rf"operator 1: {extra} rounds of tiles too many"
        ):
            check_loads(program_of(rows, kinds=kinds), MACHINE)


def test_a_product_relies_on_the_bytes_that_were_read(program_of: ProgramOf) -> None:
    kinds = kinds_of(MACHINE)
    fewer = kinds[0].work
    assert isinstance(fewer, LoadWork)
    kinds[0] = lowered(MACHINE, fewer._replace(stored_bytes=fewer.stored_bytes - 7))[0]
    rows = [row(kinds, Opcode.LOAD, 0, 0, 1), *product(kinds, 1_000, 1)]
    with pytest.raises(VerificationError, match=r"operator 1: -7 bytes too many"):
        check_loads(program_of(rows, kinds=kinds), MACHINE)


def test_rounds_are_installed_after_they_were_loaded(program_of: ProgramOf) -> None:
    kinds = kinds_of(MACHINE)
    early = [*product(kinds, 0, 1), row(kinds, Opcode.LOAD, 1_000, 0, 1)]
    with pytest.raises(VerificationError, match=r"chip 3 MXM: -1 rounds of tiles at"):
        check_buffers(program_of(early, kinds=kinds), MACHINE)


def test_rounds_of_two_products_do_not_mix(program_of: ProgramOf) -> None:
    kinds = kinds_of(MACHINE)
    rows = [
        row(kinds, Opcode.LOAD, 0, 0, 2),
        row(kinds, Opcode.LOAD, 300, 0, 1),
        *product(kinds, 1_000, 1),
        *product(kinds, 2_000, 2),
    ]
    with pytest.raises(
        VerificationError, match=r"chip 3 loads for operator 2 at cycle"
    ):
        check_loads(program_of(rows, kinds=kinds), MACHINE)


def test_more_rounds_than_the_buffers_hold_are_refused(program_of: ProgramOf) -> None:
    kinds = kinds_of(MACHINE, 2)
    full = [row(kinds, Opcode.LOAD, 0, 0, 1), *product(kinds, 1_000, 1)]
    assert check_buffers(program_of(full, kinds=kinds), MACHINE) == 3
    with pytest.raises(
        VerificationError, match=r"3 MXM: 2 rounds of tiles .*, and the buffers hold 1$"
    ):
        check_buffers(program_of(full, kinds=kinds), load_machine())


def test_a_product_that_loads_before_a_round_is_installed_needs_room(
    program_of: ProgramOf,
) -> None:
    # One round was loaded. The next loads when the first is installed, at 38 + 12, or
    # a cycle before.
    kinds = kinds_of(OVERLAP)
    rows = [row(kinds, Opcode.LOAD, 0, 0, 1), *product(kinds, 1_000, 1)]
    one = load_machine()
    assert check_buffers(program_of(rows, kinds=kinds), one) == 3
    hasty = [
        step._replace(start_cycle=49) if step.port is SlicePort.MXM_LOAD else step
        for step in kinds[1].steps
    ]
    kinds[1] = kinds[1]._replace(steps=tuple(hasty))
    program = program_of(rows, kinds=kinds)
    assert check_buffers(program, OVERLAP) == 3
    with pytest.raises(
        VerificationError, match=r"MXM: 2 rounds .* at cycle 1049, and .* hold 1$"
    ):
        check_buffers(program, one)


@pytest.mark.parametrize(("early", "holds"), [(0, True), (1, False)])
def test_nothing_loads_while_another_product_multiplies(
    program_of: ProgramOf, early: int, holds: bool
) -> None:
    # The product multiplies its last row in the cycle before 38 + 2 * 60 + 20; a load
    # reaches the MXM 38 cycles after SRAM.
    kinds = kinds_of(MACHINE)
    begin = 1_000 + 2 * 60 + 20
    rows = [
        row(kinds, Opcode.LOAD, 0, 0, 1),
        *product(kinds, 1_000, 1),
        row(kinds, Opcode.LOAD, begin - early, 0, 2),
        *product(kinds, 2_000, 2),
    ]
    program = program_of(rows, kinds=kinds)
    assert check_loads(program, OVERLAP) == 4
    with refusal(
        rf"chip 3: the MXM loads or multiplies rounds until cycle {begin + 38}, and "
        rf"does so again from cycle {begin + 37}",
        unless=holds,
    ):
        assert check_loads(program, MACHINE) == 4


# Stored in four bits and widened in three operations: a round in 240 cycles.
WIDENS = MACHINE.with_settings({"chip.widening_operations": 3})
NARROW = WHOLE._replace(stored_bytes=480 * 1280)


@pytest.mark.parametrize(("start", "holds"), [(278, True), (277, False)])
def test_the_vxm_computes_nothing_while_it_widens(
    program_of: ProgramOf, start: int, holds: bool
) -> None:
    kinds = kinds_of(WIDENS, work=NARROW)
    # The load reaches the VXM 38 cycles after SRAM, and takes it for 240.
    rows = [
        row(kinds, Opcode.LOAD, 0, 0, 1),
        row(kinds, Opcode.VECTOR, start, 2, 0),
        *product(kinds, 5_000, 1),
    ]
    program = program_of(rows, kinds=kinds)
    with refusal(
        r"a slice does two things: chip 3: the VXM widens weights or computes until "
        r"cycle 278, and does so again from cycle 277",
        unless=holds,
    ):
        assert check_loads(program, WIDENS) == 2
    # Weights that nothing widens leave the VXM free.
    plain = kinds_of(MACHINE)
    assert check_loads(program_of(rows, kinds=plain), MACHINE) == 2


def test_a_load_widens_behind_the_chain_of_the_product_before(
    program_of: ProgramOf,
) -> None:
    chained = NARROW._replace(
        ready_rounds=1, chain=VectorWork(10_240, 16, vectors=8, passes=3)
    )
    kinds = kinds_of(WIDENS, work=chained)
    # Results of 8 x 1,280 elements pass the VXM three times, 96 cycles, the last one a
    # part of the fill before the product ends; a load reaches it a part after SRAM.
    end = 1_000 + last_cycle(kinds[1]) - 38
    for start, holds in ((end - 38, True), (end - 39, False)):
        rows = [
            row(kinds, Opcode.LOAD, 0, 0, 1),
            *product(kinds, 1_000, 1),
            row(kinds, Opcode.LOAD, start, 0, 2),
            *product(kinds, 5_000, 2),
        ]
        program = program_of(rows, kinds=kinds)
        with refusal(
            rf"widens weights or computes until cycle {end}, .* {end - 1}$",
            unless=holds,
        ):
            assert check_loads(program, WIDENS) == 4


def test_a_load_widens_as_many_weights_as_its_product_multiplies(
    program_of: ProgramOf,
) -> None:
    # A round of FP16 has half of the weights of one of INT8: 120 cycles, and not 240.
    kinds = kinds_of(WIDENS, work=NARROW)
    quick = kinds[0].work
    assert isinstance(quick, LoadWork)
    kinds[0] = lowered(WIDENS, quick._replace(round_cycles=120))[0]
    rows = [row(kinds, Opcode.LOAD, 0, 0, 1), *product(kinds, 1_000, 1)]
    with pytest.raises(
        VerificationError,
        match=r"chip 3, operator 1: a round is loaded ahead in 120 cycles, and its "
        r"weights are widened in 240",
    ):
        check_loads(program_of(rows, kinds=kinds), WIDENS)


def test_rounds_that_a_product_widens_are_widened_ahead_too(
    program_of: ProgramOf,
) -> None:
    kinds = kinds_of(WIDENS, work=NARROW)
    plain = kinds[0].work
    assert isinstance(plain, LoadWork)
    kinds[0] = lowered(WIDENS, plain._replace(widening=False))[0]
    rows = [row(kinds, Opcode.LOAD, 0, 0, 1), *product(kinds, 1_000, 1)]
    with pytest.raises(
        VerificationError, match=r"operator 1: -1 widened rounds too many"
    ):
        check_loads(program_of(rows, kinds=kinds), WIDENS)
