from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from chip.program import Opcode, Program
from chip.sram_occupancy import activation_changes, held_over_time, repeated
from compiler.compile_decode import compile_token
from compiler.hazard_rules.memory import (
    check_memory,
    check_operands,
    check_text,
    check_waiting,
)
from compiler.ir.schedule import Schedule
from compiler.verify import verify
from sharding.planner.plan import ShardingPlan
from specs.errors import VerificationError
from specs.machine import MachineSpec, load_machine
from topologies.selection import select_topology

Compile = Callable[..., Schedule]
ProgramOf = Callable[..., Program]
MACHINE = load_machine()


@settings(max_examples=20)
@given(plan=...)
def test_all_that_comes_goes_again_and_never_before_it_came(
    plan: ShardingPlan,
) -> None:
    schedule = compile_token(plan, select_topology(plan.strategy.chips))
    machine = plan.task.machine
    changes = activation_changes(schedule.program, machine)
    held = held_over_time(repeated(changes, schedule.program))
    assert (held.bytes >= 0).all()
    last = np.append(np.diff(held.chip) != 0, True)
    assert not held.bytes[last].any()
    assert changes.cycle.min() >= 0
    assert changes.cycle.max() <= schedule.program.token_cycles


def test_a_chip_alone_holds_an_operand_and_a_result_at_a_time(
    compiled: Compile,
) -> None:
    schedule = compiled(1, 1)
    changes = activation_changes(schedule.program, schedule.plan.task.machine)
    names = [entry.name for entry in schedule.timeline.entries]
    starts = {
        name: entry.start_cycle
        for name, entry in zip(names, schedule.timeline.entries, strict=True)
    }
    held = held_over_time(changes)
    at = dict(zip(held.cycle.tolist(), held.bytes.tolist(), strict=True))
    # The last layer: 64 numbers of two bytes in; gate and up of 128 each; 128; 64.
    assert at[starts["gate_up"]] == 2 * (64 + 256)
    assert at[starts["activate"]] == 2 * (256 + 128)
    assert at[starts["down"]] == 2 * (128 + 64)
    assert at[starts["logits"]] == 2 * (64 + 256)


def test_a_chip_fuller_than_its_sram_is_refused_with_the_cycle(
    compiled: Compile,
) -> None:
    schedule = compiled(3, 4, sequences=2)
    program, machine = schedule.program, schedule.plan.task.machine
    kept = program.resident
    changes = held_over_time(activation_changes(program, machine))
    most = int(changes.bytes.argmax())
    chip = int(changes.chip[most])
    more = kept.weights.copy()
    more[chip] = machine.chip.sram_bytes - int(np.sum(kept, axis=0)[chip])
    more[chip] += int(kept.weights[chip]) - int(changes.bytes[most]) + 1
    with pytest.raises(
        VerificationError,
        match=rf"SRAM is full: chip {chip} keeps [\d,]+ bytes and holds [\d,]+ of "
        r"activations at cycle -?\d+, together more than 230,686,720",
    ):
        verify(
            replace(program, resident=kept._replace(weights=more)),
            schedule.topology,
            machine,
        )
    with pytest.raises(
        VerificationError,
        match=rf"SRAM is full: chip {chip} keeps [\d,]+ bytes from cycle 0 on and has",
    ):
        verify(
            replace(program, resident=kept._replace(weights=more * 2)),
            schedule.topology,
            machine,
        )


def received(chip: int, start: int, train: int, operator: int = 0) -> dict[str, int]:
    return {
        "chip": chip,
        "opcode": int(Opcode.RECEIVE),
        "start_cycle": start,
        "duration_cycles": 24,
        "train": train,
        "operator": operator,
    }


def test_the_text_of_a_chip_fits_what_is_reserved_for_it(
    program_of: ProgramOf,
) -> None:
    three = program_of([received(2, start, 0) for start in (0, 50, 100)])
    size = MACHINE.chip.instruction_bytes
    enough, short = (
        MACHINE.with_settings({"chip.program_reserve_bytes": reserve})
        for reserve in (3 * size, 3 * size - 1)
    )
    assert check_text(three, enough) == 8
    with pytest.raises(VerificationError, match=rf"chip 2 needs {3 * size} bytes and"):
        check_text(three, short)


def with_room(size: int) -> MachineSpec:
    """Return a machine with so many bytes of SRAM beside the program."""
    chip = MACHINE.chip
    sram = size + chip.program_reserve_bytes
    return MACHINE.model_copy(
        update={"chip": chip.model_copy(update={"sram_bytes": sram})}
    )


def test_all_operands_of_an_operator_are_in_sram_at_once(
    program_of: ProgramOf,
) -> None:
    # Two trains of 3 and 4 vectors for one operator, one of 5 for the next.
    program = program_of(
        [received(1, 300, 0), received(1, 400, 1), received(1, 500, 2, operator=1)],
        trains=[(0, 3, 0, 300, -1), (0, 4, 0, 400, -1), (0, 5, 0, 500, -1)],
    )
    size = 7 * MACHINE.link.vector_bytes
    assert check_operands(program, with_room(size)) == 2
    with pytest.raises(
        VerificationError,
        match=r"^operands exceed the SRAM: chip 1 receives 2,240 bytes from cycle 300",
    ):
        check_operands(program, with_room(size - 1))


def test_relayed_trains_are_held_until_their_last_vector_has_left(
    program_of: ProgramOf,
) -> None:
    # Trains of 2 and 3 vectors, held from 300 to 450 and from 440 to 650.
    forwards = [
        {
            "chip": 1,
            "opcode": int(Opcode.FORWARD),
            "start_cycle": start,
            "duration_cycles": 50,
            "train": train,
        }
        for train, start in ((2, 400), (3, 600))
    ]
    program = program_of(
        forwards,
        trains=[
            (0, 2, 0, 300, -1),
            (0, 3, 100, 440, -1),
            (5, 2, 400, 900, 0),
            (5, 3, 600, 950, 1),
        ],
    )
    size = MACHINE.link.vector_bytes
    assert check_waiting(program, MACHINE, 5 * size) == 2
    with pytest.raises(
        VerificationError, match=r"chip 1 holds 1,600 bytes at cycle 44"
    ):
        check_waiting(program, MACHINE, 5 * size - 1)


def test_what_a_chip_keeps_throughout_fits_its_sram(program_of: ProgramOf) -> None:
    whole = MACHINE.chip.sram_bytes
    full = [0, whole, 0, 0, 0, 0, 0, 0]
    assert check_memory(program_of([], weights=full), MACHINE) == 8
    full[1] += 1
    with pytest.raises(VerificationError, match=r"^SRAM is full: chip 1 keeps [\d,]+ "):
        check_memory(program_of([], weights=full), MACHINE)
