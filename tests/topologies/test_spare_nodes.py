"""Spare nodes stay idle, and the machine grows to make up for them."""

import numpy as np
import pytest

from specs.errors import TopologyError
from topologies.spare_nodes import select_with_spares


def test_without_spares_the_first_chips_are_active() -> None:
    machine = select_with_spares(10)
    assert machine.active.tolist() == list(range(10))


def test_eight_racks_of_64_active_chips_take_no_ninth() -> None:
    machine = select_with_spares(512, spare_nodes=1)
    assert (machine.chips, machine.active_chips) == (576, 512)


def test_the_last_node_of_each_rack_is_the_spare() -> None:
    machine = select_with_spares(128, spare_nodes=1)
    idle = np.setdiff1d(np.arange(machine.chips), machine.active)
    assert idle.tolist() == [*range(64, 72), *range(136, 144)]


def test_the_order_of_the_global_links_makes_no_difference_to_spares() -> None:
    machine = select_with_spares(576, "dragonfly:palmtree", spare_nodes=1)
    assert (machine.name, machine.chips) == ("dragonfly:palmtree", 648)


def test_even_a_few_chips_take_a_rack_since_a_node_has_no_spare() -> None:
    assert select_with_spares(8, spare_nodes=1).chips == 72


def test_the_33_node_system_has_one_spare_node_of_33() -> None:
    machine = select_with_spares(256, "nodes33", spare_nodes=1)
    assert (machine.chips, machine.active_chips) == (264, 256)


def test_more_chips_than_the_spares_leave_are_refused() -> None:
    with pytest.raises(TopologyError, match=r"leave 256, but 260 are asked for"):
        select_with_spares(260, "nodes33", spare_nodes=1)


def test_a_topology_that_needs_more_ports_than_a_chip_has_is_refused() -> None:
    with pytest.raises(TopologyError, match=r"chip 0 has 7 links .* has 3 ports"):
        select_with_spares(8, ports_per_chip=3)


@pytest.mark.parametrize("name", ["torus:8x8", "fat-tree"])
def test_topologies_without_nodes_have_no_spare_ones(name: str) -> None:
    with pytest.raises(TopologyError, match=f"{name} has no nodes.*set spares to 0"):
        select_with_spares(8, name, spare_nodes=1)
