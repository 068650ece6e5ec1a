import pytest

from experiments.run.energy import energy_of, powered
from specs.machine import load_machine
from topologies.selection import select_topology
from topologies.spare_nodes import select_with_spares

GROQRACK = load_machine()


def test_eight_racks_draw_what_576_chips_and_their_optics_do() -> None:
    power = powered(GROQRACK, select_topology(576))
    assert (power.chips, power.chips_tdp) == (576 * 185, 576 * 215)
    assert power.optics == 8 * 144 * 3.5
    # 5.5 pJ a bit at 100 Gb/s are 0.55 W for each direction of 3,168 cables.
    assert power.ports == pytest.approx(2 * 3_168 * 0.55)


def test_a_token_takes_its_share_of_a_second() -> None:
    block = energy_of(GROQRACK, select_topology(8), 100.0)
    assert block.average_power_w == 8 * 185
    assert block.energy_per_token_j == pytest.approx(14.8)
    assert block.tdp_energy_per_token_j == pytest.approx(17.2)
    assert block.optical_energy_per_token_j == 0
    assert block.port_energy_per_token_j == pytest.approx(2 * 28 * 0.55 / 100)


def test_chips_that_are_not_used_are_off_and_spare_ones_are_on() -> None:
    assert powered(GROQRACK, select_topology(64)).chips == 64 * 185
    spared = GROQRACK.with_settings({"spares": 1})
    topology = select_with_spares(64, spare_nodes=1)
    assert powered(spared, topology).chips == 72 * 185


def test_where_the_power_of_a_chip_is_not_published_no_energy_is_computed() -> None:
    rack = select_topology(256, "lpx", ports_per_chip=96)
    block = energy_of(load_machine("lpx"), rack, 1000.0)
    assert block.average_power_w is block.energy_per_token_j is None
    assert block.port_energy_per_token_j == pytest.approx(2 * 11_520 * 0.55 / 1000)


def test_without_tokens_there_is_power_but_no_energy_of_one() -> None:
    block = energy_of(GROQRACK, select_topology(8), None)
    assert block.average_power_w == 8 * 185
    assert block.energy_per_token_j is None
