from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings

from compiler.compile_decode import compile_token
from compiler.energy.program_energy import program_energy
from compiler.energy.standing_power import standing_power
from compiler.energy.token_energy import TokenEnergy, least_dynamic_j, token_energy
from compiler.ir.schedule import Schedule
from sharding.planner.plan import ShardingPlan
from sharding.weights.task import Task
from specs.errors import RackError
from specs.machine import load_machine
from topologies.selection import select_topology


@pytest.fixture(scope="module")
def task(compiled: Callable[..., Schedule]) -> Task:
    return compiled(4, 2).plan.task


@settings(max_examples=6)
@given(plan=...)
def test_no_program_of_a_task_takes_less_than_its_bound(plan: ShardingPlan) -> None:
    topology = select_topology(plan.strategy.chips)
    try:
        schedule = compile_token(plan, topology)
    except RackError:
        assume(False)
    machine, passes = plan.task.machine, plan.strategy.data
    spent = program_energy(schedule.program, topology, machine).total.total
    assert least_dynamic_j(plan.task) <= spent / passes
    share = schedule.latency_cycles / (plan.sequences * passes)
    energy = TokenEnergy(plan.task, topology)
    of_program = energy.of_program(schedule.program, share, passes)
    assert energy.at_least(plan.strategy.chips, share) <= of_program


def test_a_token_takes_the_standing_power_of_its_share_of_time(
    task: Task,
) -> None:
    task = task._replace(batch=2)
    energy = token_energy(task, select_topology(8))
    assert energy is not None
    topology = select_topology(8)
    used = np.arange(topology.chips) < 4
    standing = standing_power(task.machine, topology, used).idle
    assert standing is not None
    # Nine million cycles are 10 ms, shared by the two of the batch.
    waited = energy.at_least(4, 9_000_000) - energy.at_least(4, 0)
    assert waited == pytest.approx(standing * 0.01 / 2)
    assert energy.at_least(4, 0) == pytest.approx(least_dynamic_j(task) / 2)


@pytest.mark.parametrize("spares", [0, 1])
def test_optics_count_from_when_both_ends_are_on(task: Task, spares: int) -> None:
    machine = load_machine().with_settings({"spares": spares})
    task, topology = task._replace(machine=machine), select_topology(144)
    energy = token_energy(task, topology)
    assert energy is not None
    for chips in (1, 72, 73, 100, 144):
        used = np.zeros(topology.chips, dtype=bool)
        used[topology.active[:chips]] = True
        standing = standing_power(machine, topology, used).idle
        cycles = machine.chip.clock_hz
        waited = energy.at_least(chips, cycles) - energy.at_least(chips, 0)
        assert waited == pytest.approx(standing)


def test_where_no_power_is_published_no_energy_is_known(task: Task) -> None:
    unknown = task._replace(machine=load_machine("lpx"))
    assert token_energy(unknown, select_topology(8)) is None
