from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from chip.program import Opcode
from compiler.energy.operation_energy import OperationEnergy, operator_energy
from compiler.energy.program_energy import program_energy
from compiler.ir.schedule import Schedule
from compiler.ir.timeline import ComputeEntry
from experiments.run.scenario import run_scenario
from sharding.parallelism.strategy import Strategy
from specs.machine import MachineSpec
from specs.scenario import Scenario

Compile = Callable[..., Schedule]
STRATEGY = Strategy(tensor=4, pipeline=2)


@pytest.fixture(scope="module")
def schedule(compiled: Compile) -> Schedule:
    return compiled(STRATEGY.tensor, STRATEGY.pipeline)


def machine_of(schedule: Schedule) -> MachineSpec:
    return schedule.plan.machine


def spent_by_entries(schedule: Schedule) -> OperationEnergy:
    """Return the energy of the operators, entry by entry of the timeline."""
    timeline, power = schedule.timeline, machine_of(schedule).power
    works = [
        work
        for entry in (*timeline.entries, *timeline.loads)
        if not isinstance(entry, ComputeEntry) or entry.works
        for work in getattr(entry, "works", ())
    ]
    kinds = {kind.work: kind for kind in schedule.program.kinds}
    parts = [operator_energy(kinds[work], power) for work in works]
    return OperationEnergy(*(sum(part) for part in zip(*parts, strict=True)))


def test_every_operator_counts_once_and_every_vector_at_both_of_its_ends(
    schedule: Schedule,
) -> None:
    machine, program = machine_of(schedule), schedule.program
    spent = program_energy(program, schedule.topology, machine)
    operators = spent_by_entries(schedule)
    assert spent.total.matrix == pytest.approx(operators.matrix)
    assert spent.total.vector == pytest.approx(operators.vector)
    # On one hop each, a vector is read, sent and written; nothing is relayed here.
    assert (program.trains.previous == -1).all()
    moved = int(program.trains.vectors.sum()) * machine.link.vector_bytes
    power = machine.power
    scale = power.operation_scale * 1e-12
    sram = power.sram_read_pj_per_byte + power.sram_write_pj_per_byte
    assert spent.total.sram == pytest.approx(operators.sram + scale * sram * moved)


def test_a_relay_neither_reads_nor_writes_what_it_forwards(schedule: Schedule) -> None:
    machine, program = machine_of(schedule), schedule.program
    trains = program.trains
    before = program_energy(program, schedule.topology, machine).total
    # The second train carries on what the first brought.
    previous = trains.previous.copy()
    previous[1] = 0
    joined = replace(program, trains=replace(trains, previous=previous))
    after = program_energy(joined, schedule.topology, machine).total
    power, size = machine.power, machine.link.vector_bytes
    saved_pj = power.sram_write_pj_per_byte * size * int(trains.vectors[0])
    saved_pj += power.sram_read_pj_per_byte * size * int(trains.vectors[1])
    saved_j = power.operation_scale * 1e-12 * saved_pj
    assert before.sram - after.sram == pytest.approx(saved_j)


def test_weights_that_load_ahead_are_read_once_in_all() -> None:
    ahead, behind = (
        run_scenario(
            Scenario(
                workload="mlp",
                tokens=1,
                engine="replay",
                settings={"chip.prefetch": prefetch},
            )
        ).schedule
        for prefetch in (True, False)
    )
    assert ahead.timeline.loads
    assert not behind.timeline.loads
    first, second = (
        program_energy(each.program, each.topology, each.plan.machine).total
        for each in (ahead, behind)
    )
    assert first == pytest.approx(second)


def test_a_dropped_operator_takes_nothing(schedule: Schedule) -> None:
    machine, program = machine_of(schedule), schedule.program
    code = program.instructions
    (at, *_) = np.flatnonzero(code.opcode == Opcode.MATMUL)
    kind = code.kind.copy()
    kind[at] = -1
    without = replace(program, instructions=replace(code, kind=kind))
    before, after = (
        program_energy(each, schedule.topology, machine) for each in (program, without)
    )
    saved = operator_energy(program.kinds[int(code.kind[at])], machine.power)
    chip = int(code.chip[at])
    lost = before.per_chip_j - after.per_chip_j
    assert lost[chip] == pytest.approx(np.array(saved))
    assert lost.sum() == pytest.approx(saved.total)


def test_chips_with_an_instruction_are_powered(schedule: Schedule) -> None:
    spent = program_energy(schedule.program, schedule.topology, machine_of(schedule))
    assert spent.powered.tolist() == [True] * STRATEGY.chips


def test_the_peak_is_that_of_the_operator_that_draws_the_most(
    schedule: Schedule,
) -> None:
    machine, program = machine_of(schedule), schedule.program
    spent = program_energy(program, schedule.topology, machine)
    drawn = [
        operator_energy(kind, machine.power).total
        * machine.chip.clock_hz
        / max(step.start_cycle + step.duration_cycles for step in kind.steps)
        for kind in program.kinds
    ]
    assert max(spent.peak) == pytest.approx(max(drawn))
