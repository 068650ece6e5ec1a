from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from chip.sram_occupancy import activation_changes, held_over_time, repeated
from compiler.compile_decode import compile_token
from compiler.ir.schedule import Schedule
from compiler.verify import verify
from sharding.planner.plan import ShardingPlan
from specs.errors import VerificationError
from topologies.selection import select_topology

Compile = Callable[..., Schedule]


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
