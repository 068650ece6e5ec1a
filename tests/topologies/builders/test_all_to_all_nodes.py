from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.errors import TopologyError
from topologies.builders.all_to_all_nodes import node_system, nodes33_topology
from topologies.metrics.summary import describe
from topologies.topology import Level


def test_33_nodes_are_264_chips_three_hops_wide() -> None:
    system = nodes33_topology()
    assert system.chips == 264
    between = system.level == Level.GLOBAL
    nodes = zip(
        system.node[system.source[between]],
        system.node[system.target[between]],
        strict=True,
    )
    assert set(Counter(nodes).values()) == {1}
    assert describe(system).diameter_hops == 3


def test_the_distance_of_two_nodes_decides_the_chip_of_their_cable() -> None:
    system = nodes33_topology()
    between = system.level == Level.GLOBAL
    source, target = system.source[between], system.target[between]
    distance = (target // 8 - source // 8) % 33
    assert np.array_equal(source % 8, (distance - 1) // 4)


@given(st.integers(2, 33))
def test_every_pair_of_nodes_has_its_share_of_32_ports(nodes: int) -> None:
    system = node_system(nodes)
    assert (system.name, system.chips) == (f"{nodes} nodes", 8 * nodes)
    assert set(system.rack.tolist()) == {0}
    between = system.level == Level.GLOBAL
    pair = system.node[system.source[between]] * nodes
    cables = np.bincount(
        pair + system.node[system.target[between]], minlength=nodes**2
    ).reshape(nodes, nodes)
    of_pair = cables[~np.eye(nodes, dtype=bool)]
    assert of_pair.min() == 32 // (nodes - 1)
    assert of_pair.max() <= of_pair.min() + 1
    # 32 ports leave a node; among an odd number of nodes an odd one stays free.
    assert set(cables.sum(axis=1).tolist()) == {32}


def test_a_system_of_one_node_is_the_node() -> None:
    assert (node_system(1).name, node_system(1).links) == ("node", 28)


def test_more_nodes_than_outward_ports_reach_are_refused() -> None:
    with pytest.raises(TopologyError, match="34 groups cannot be fully connected"):
        node_system(34)
