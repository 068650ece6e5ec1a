import pytest

from specs.errors import SpecError
from specs.machine import load_machine, machine_names
from specs.machine_formats import FormatsSpec
from specs.system import PowerSpec, SystemSpec
from specs.validation import build


def test_unpublished_power_is_none() -> None:
    power = load_machine("lpx").power
    assert (power.chip_average_w, power.chip_tdp_w) == (None, None)
    with pytest.raises(SpecError, match="chip_tdp_w = 0: must be greater than 0"):
        build(PowerSpec, {**power.model_dump(), "chip_tdp_w": 0}, "mine")


def test_an_average_that_cannot_be_cooled_is_refused() -> None:
    with pytest.raises(SpecError, match=r"chip_average_w 220 is more than .* 215"):
        load_machine().with_settings({"power.chip_average_w": 220})


@pytest.mark.parametrize("name", machine_names())
def test_a_system_is_no_larger_than_it_says(name: str) -> None:
    machine = load_machine(name)
    system = machine.system
    assert system == SystemSpec(**system.model_dump())
    assert 1 <= system.tensor <= system.chips
    assert system.tensor <= system.chips_per_rack
    assert isinstance(machine.formats, FormatsSpec)
