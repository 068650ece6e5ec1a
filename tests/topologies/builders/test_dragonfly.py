import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.errors import TopologyError
from topologies.builders.all_to_all_nodes import nodes33_topology
from topologies.builders.dragonfly import dragonfly_topology
from topologies.builders.node import node_topology
from topologies.builders.port_order import ORDERS
from topologies.builders.rack import rack_topology
from topologies.topology import Level, Topology

BUILT = [
    node_topology(),
    rack_topology(),
    nodes33_topology(),
    *(dragonfly_topology(racks) for racks in (2, 3, 8, 9, 145)),
    *(dragonfly_topology(8, order) for order in ORDERS[1:]),
]


def outward_ports(topology: Topology, level: Level) -> list[int]:
    """Ports per rack whose cables are of this level."""
    ends = topology.rack[topology.source[topology.level == level]]
    return [int(ports) for ports in np.bincount(ends)]


def test_the_largest_system_has_one_cable_per_pair_of_racks() -> None:
    largest = dragonfly_topology(145)
    assert (largest.chips, largest.links) == (10_440, 57_420)
    assert np.count_nonzero(largest.level[::2] == Level.GLOBAL) == 145 * 144 // 2
    assert outward_ports(largest, Level.RACK) == [144] * 145
    assert outward_ports(largest, Level.GLOBAL) == [144] * 145


@given(st.integers(2, 145), st.sampled_from(ORDERS))
def test_racks_share_their_144_outward_ports_evenly(racks: int, order: str) -> None:
    topology = dragonfly_topology(racks, order)
    assert outward_ports(topology, Level.GLOBAL) == [144] * racks
    ends = topology.rack[topology.source] * racks + topology.rack[topology.target]
    cables = np.bincount(ends[topology.level == Level.GLOBAL], minlength=racks**2)
    of_pair = cables.reshape(racks, racks)[~np.eye(racks, dtype=bool)]
    assert of_pair.max() - of_pair.min() <= 1
    assert of_pair.min() == 144 // (racks - 1)


@given(st.integers(2, 145), st.sampled_from(ORDERS))
def test_every_chip_of_a_dragonfly_uses_each_of_its_11_ports_once(
    racks: int, order: str
) -> None:
    topology = dragonfly_topology(racks, order)
    ports = topology.source.astype(np.int64) * 11 + topology.source_port
    assert sorted(ports.tolist()) == list(range(11 * topology.chips))


@given(st.integers(1, 145), st.data())
def test_a_chip_and_its_place_are_inverse(racks: int, data: st.DataObject) -> None:
    topology = dragonfly_topology(racks)
    chip = data.draw(st.integers(0, topology.chips - 1))
    rack, node, slot = topology.rack[chip], topology.node[chip], topology.slot[chip]
    assert 0 <= slot < 8
    assert 0 <= node - 9 * rack < 9
    assert chip == 72 * rack + 8 * (node - 9 * rack) + slot


@pytest.mark.parametrize("racks", [2, 5, 9])
def test_copies_of_a_node_pair_in_a_rack_join_different_chips(racks: int) -> None:
    topology = dragonfly_topology(racks)
    inside = topology.level == Level.RACK
    chips = list(
        zip(
            topology.source[inside].tolist(),
            topology.target[inside].tolist(),
            strict=True,
        )
    )
    assert len(set(chips)) == len(chips)


@pytest.mark.parametrize(
    "topology", BUILT, ids=lambda built: f"{built.name}-{built.chips}"
)
def test_the_neighbour_of_my_neighbour_is_me(topology: Topology) -> None:
    at_port = {
        (chip, port): link
        for link, (chip, port) in enumerate(
            zip(topology.source.tolist(), topology.source_port.tolist(), strict=True)
        )
    }
    assert len(at_port) == 2 * topology.links  # each port is used once
    for (chip, port), link in at_port.items():
        far = int(topology.target[link]), int(topology.target_port[link])
        back = at_port[far]
        assert (topology.target[back], topology.target_port[back]) == (chip, port)


@pytest.mark.parametrize(
    "topology", BUILT, ids=lambda built: f"{built.name}-{built.chips}"
)
def test_level_says_what_a_cable_joins(topology: Topology) -> None:
    same_node = topology.node[topology.source] == topology.node[topology.target]
    assert np.array_equal(same_node, topology.level == Level.LOCAL)
    if topology.name.startswith("dragonfly"):
        same_rack = topology.rack[topology.source] == topology.rack[topology.target]
        assert np.array_equal(same_rack, topology.level != Level.GLOBAL)


@pytest.mark.parametrize("order", ["costas", "palmtree", "annealed"])
@pytest.mark.parametrize("racks", [2, 3, 8, 145])
def test_turning_the_ring_of_racks_changes_nothing(racks: int, order: str) -> None:
    topology = dragonfly_topology(racks, order)

    def cables(turn: int) -> set[tuple[int, ...]]:
        return set(
            zip(
                ((topology.source + 72 * turn) % topology.chips).tolist(),
                topology.source_port.tolist(),
                ((topology.target + 72 * turn) % topology.chips).tolist(),
                topology.target_port.tolist(),
                strict=True,
            )
        )

    assert cables(0) == cables(1)


def test_one_rack_of_a_dragonfly_is_a_rack_on_its_own() -> None:
    assert dragonfly_topology(1).name == "rack"


@pytest.mark.parametrize(
    ("racks", "message"),
    [
        (0, "at least 1 rack, got 0"),
        (146, "146 racks cannot be fully connected: 144 outward ports reach 145 racks"),
    ],
)
def test_impossible_numbers_of_racks_are_refused(racks: int, message: str) -> None:
    with pytest.raises(TopologyError, match=message):
        dragonfly_topology(racks)
