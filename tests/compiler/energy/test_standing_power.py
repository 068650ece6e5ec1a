import numpy as np
import pytest
from numpy.typing import NDArray

from compiler.energy.full_load import idle_chip_w
from compiler.energy.standing_power import standing_power
from specs.machine import load_machine
from topologies.selection import select_topology
from topologies.spare_nodes import select_with_spares
from topologies.topology import Topology

GROQRACK = load_machine()


def active(topology: Topology) -> NDArray[np.bool_]:
    used = np.zeros(topology.chips, dtype=bool)
    used[topology.active] = True
    return used


def test_eight_racks_draw_what_idle_chips_and_their_optics_do() -> None:
    topology = select_topology(576)
    power = standing_power(GROQRACK, topology, active(topology))
    idle_w = idle_chip_w(GROQRACK)
    assert idle_w is not None
    assert power.chips == pytest.approx(576 * idle_w)
    assert power.chips_tdp == 576 * 215
    assert power.optics == 8 * 144 * 3.5
    assert power.idle == pytest.approx(576 * idle_w + 8 * 144 * 3.5)
    # 5.5 pJ a bit at 100 Gb/s are 0.55 W for each direction of 3,168 cables.
    assert power.ports == pytest.approx(2 * 3_168 * 0.55)
    half = GROQRACK.with_settings({"power.port_idle_share": 0.5})
    assert standing_power(half, topology, active(topology)).ports == power.ports / 2


def test_chips_that_are_not_used_are_off_and_spare_ones_are_on() -> None:
    topology = select_topology(64)
    assert standing_power(GROQRACK, topology, active(topology)).powered_chips == 64
    spared = GROQRACK.with_settings({"spares": 1})
    topology = select_with_spares(64, spare_nodes=1)
    assert standing_power(spared, topology, active(topology)).powered_chips == 72


def test_links_take_power_where_that_of_a_chip_is_unpublished() -> None:
    rack = select_topology(256, "lpx", ports_per_chip=96)
    power = standing_power(load_machine("lpx"), rack, active(rack))
    assert (power.chips, power.chips_tdp, power.idle, power.tdp) == (None,) * 4
    assert power.ports == pytest.approx(2 * 11_520 * 0.55)
