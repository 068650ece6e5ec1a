from collections.abc import Callable
from dataclasses import asdict

import pytest

from compiler.energy.full_load import full_load, idle_chip_w
from compiler.energy.program_energy import program_energy
from compiler.ir.schedule import Schedule
from experiments.run.energy import Energy, energy_of, run_energy
from experiments.run.scenario import run_scenario
from specs.machine import load_machine
from specs.scenario import Scenario

Compile = Callable[..., Schedule]

GROQRACK = load_machine()
PARTS = ("matrix", "vector", "sram", "stream", "link")


def idle_w() -> float:
    watts = idle_chip_w(GROQRACK)
    assert watts is not None
    return watts


def energy(schedule: Schedule, tokens_per_s: float | None, tokens: int = 1) -> Energy:
    return energy_of(
        schedule.program,
        schedule.topology,
        schedule.plan.machine,
        tokens_per_s=tokens_per_s,
        tokens_per_pass=tokens,
    )


def test_at_full_load_a_run_draws_the_published_average() -> None:
    run = run_scenario(
        Scenario(workload=full_load(GROQRACK).workload, tokens=1, engine="replay")
    )
    facts = run_energy(run, None)
    for watts in (facts.average_power_w, facts.busiest_chip_w, facts.peak_operator_w):
        assert watts == pytest.approx(185)
    assert facts.over_tdp is False
    assert facts.energy_per_token_j is None


def test_the_energy_of_a_token_is_the_sum_of_its_parts(compiled: Compile) -> None:
    schedule = compiled(4, 2)
    facts = energy(schedule, 100.0)
    values = asdict(facts)
    dynamic = sum(values[f"{part}_energy_per_token_j"] for part in PARTS)
    assert facts.dynamic_energy_per_token_j == pytest.approx(dynamic)
    # Eight chips of a node draw idle power for a hundredth of a second.
    idle = 8 * idle_w() / 100
    assert facts.idle_energy_per_token_j == pytest.approx(idle)
    assert facts.optical_energy_per_token_j == 0
    assert facts.energy_per_token_j == pytest.approx(idle + dynamic)
    assert facts.average_power_w == pytest.approx(100 * (idle + dynamic))
    assert facts.idle_share == pytest.approx(idle / (idle + dynamic))
    assert facts.tdp_energy_per_token_j == pytest.approx(8 * 215 / 100)
    assert facts.port_energy_per_token_j == pytest.approx(2 * 28 * 0.55 / 100)


def test_faster_tokens_share_idle_power_and_take_the_same_operations(
    compiled: Compile,
) -> None:
    slow, fast = (energy(compiled(4, 2), rate) for rate in (100.0, 400.0))
    assert slow.dynamic_energy_per_token_j == pytest.approx(
        fast.dynamic_energy_per_token_j
    )
    assert slow.idle_energy_per_token_j is not None
    assert fast.idle_energy_per_token_j == pytest.approx(
        slow.idle_energy_per_token_j / 4
    )


def test_tokens_of_one_pass_share_its_operations(compiled: Compile) -> None:
    schedule = compiled(4, 2)
    alone, batched = energy(schedule, 100.0), energy(schedule, 100.0, tokens=4)
    assert alone.dynamic_energy_per_token_j is not None
    assert batched.dynamic_energy_per_token_j == pytest.approx(
        alone.dynamic_energy_per_token_j / 4
    )


def test_a_chip_that_draws_more_than_its_tdp_is_said_to(compiled: Compile) -> None:
    schedule = compiled(4, 2)
    within = energy(schedule, None)
    assert within.peak_operator_w is not None
    assert within.over_tdp is False
    # The product alone is at 185 W; what else runs at the same time adds to it.
    spent = program_energy(schedule.program, schedule.topology, GROQRACK)
    dear = schedule.plan.machine.with_settings(
        {"power.chip_average_w": 185, "power.chip_tdp_w": 185}
    )
    busiest_j = spent.per_chip_j.sum(axis=1).max()
    rate = float(1.01 * (185 - idle_w()) / busiest_j)
    over = energy_of(schedule.program, schedule.topology, dear, tokens_per_s=rate)
    assert over.busiest_chip_w == pytest.approx(idle_w() + 1.01 * (185 - idle_w()))
    assert over.over_tdp is True


def test_what_runs_at_other_times_counts_for_the_tdp_alone(compiled: Compile) -> None:
    schedule, other = compiled(4, 2), compiled(1, 1)
    facts = asdict(energy(schedule, 100.0))
    beside = asdict(
        energy_of(
            schedule.program,
            schedule.topology,
            schedule.plan.machine,
            tokens_per_s=100.0,
            others=[other.program],
        )
    )
    changed = {name for name in facts if facts[name] != beside[name]}
    assert changed == {"busiest_chip_w", "peak_operator_w"}
    alone = energy(other, None)
    assert beside["busiest_chip_w"] == pytest.approx(alone.busiest_chip_w)
    assert beside["peak_operator_w"] == pytest.approx(alone.peak_operator_w)


def test_where_the_power_of_a_chip_is_not_published_no_energy_is_computed() -> None:
    run = run_scenario(
        Scenario(
            model="gpt2",
            machine="lpx",
            chips=16,
            strategy="tensor=16,pipeline=1",
            context=64,
            tokens=1,
            engine="replay",
        )
    )
    facts = asdict(run_energy(run, 1000.0))
    known = {name for name, value in facts.items() if value is not None}
    assert known == {
        "powered_chips",
        "port_energy_per_token_j",
        "optical_energy_per_token_j",
    }


def test_without_tokens_there_is_power_but_no_energy_of_one(compiled: Compile) -> None:
    schedule = compiled(4, 2)
    facts = energy(schedule, None)
    # A pass follows the one before as soon as that is done.
    every_s = schedule.program.period_cycles / 900e6
    spent = program_energy(schedule.program, schedule.topology, GROQRACK).total.total
    assert facts.average_power_w == pytest.approx(8 * idle_w() + spent / every_s)
    assert facts.energy_per_token_j is None
