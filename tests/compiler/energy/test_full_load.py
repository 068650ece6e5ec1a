import pytest

from compiler.energy.full_load import FULL_LOADS, full_load, idle_chip_w
from compiler.energy.program_energy import program_energy
from experiments.run.scenario import run_scenario
from specs.errors import SpecError
from specs.machine import load_machine
from specs.scenario import Scenario

GROQRACK = load_machine()
SETTINGS: list[dict[str, float]] = [
    {},
    {"power.mac_int8_pj": 0.8},
    {"power.wire_pj_per_bit_mm": 0.2, "power.stream_mm": 12},
    {"power.chip_average_w": 140, "clock.drift_ppm": 200},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_at_full_load_a_chip_draws_the_published_average(
    settings: dict[str, float],
) -> None:
    machine = GROQRACK.with_settings(settings)
    drawn = {}
    for name in FULL_LOADS:
        scenario = Scenario(
            workload=name, tokens=1, engine="replay", settings=dict(settings)
        )
        schedule = run_scenario(scenario).schedule
        spent = program_energy(schedule.program, schedule.topology, machine)
        seconds = schedule.latency_cycles / machine.chip.clock_hz
        idle_w = idle_chip_w(machine)
        assert idle_w is not None
        drawn[name] = idle_w + spent.total.total / seconds
    assert max(drawn.values()) == pytest.approx(machine.power.chip_average_w)
    assert drawn[full_load(machine).workload] == max(drawn.values())


def test_full_load_is_in_the_mode_that_draws_more() -> None:
    assert full_load(GROQRACK).workload.endswith("fp16")
    dear = GROQRACK.with_settings({"power.mac_int8_pj": 0.8})
    assert full_load(dear).workload.endswith("int8")


def test_memory_and_clocks_do_not_change_what_a_chip_draws() -> None:
    small = {"chip.sram_bytes": 10_000, "chip.program_reserve_bytes": 0}
    changed = GROQRACK.with_settings({**small, "clock.drift_ppm": 10})
    assert idle_chip_w(changed) == idle_chip_w(GROQRACK)


def test_dearer_operations_leave_less_for_an_idle_chip_and_too_dear_are_refused() -> (
    None
):
    idle = [
        idle_chip_w(GROQRACK.with_settings({"power.operation_scale": scale}))
        for scale in (0.25, 0.5, 0.75)
    ]
    # Dynamic power is linear in the scale.
    low, middle, high = (185 - each for each in idle if each is not None)
    assert (middle, high) == pytest.approx((2 * low, 3 * low))
    with pytest.raises(SpecError, match=r"operation_scale 2: .* use less than") as said:
        idle_chip_w(GROQRACK.with_settings({"power.operation_scale": 2}))
    least = float(str(said.value).rsplit(" ", 1)[1])
    below = idle_chip_w(
        GROQRACK.with_settings({"power.operation_scale": least - 0.005})
    )
    assert below is not None
    assert 0 < below < 5


def test_where_no_power_is_published_there_is_no_idle_power() -> None:
    assert idle_chip_w(load_machine("lpx")) is None
    given = load_machine("lpx").with_settings({"power.chip_average_w": 400})
    assert idle_chip_w(given) == pytest.approx(400 - full_load(given).dynamic_w)
