import numpy as np

from topologies.builders.node import LOCAL_LENGTH_M, local_cables, node_topology
from topologies.topology import Level


def test_a_node_is_28_cables_and_leaves_4_ports_of_each_chip_free() -> None:
    node = node_topology()
    assert (node.chips, node.links) == (8, 28)
    assert set(node.length_m.tolist()) == {0.75}
    for chip in range(8):
        ports = sorted(node.source_port[list(node.out_links(chip))].tolist())
        assert ports == [0, 1, 2, 3, 4, 5, 6]
    offset = (node.target - node.source - 1) % 8
    assert np.array_equal(offset, node.source_port)


def test_copies_of_a_cable_have_consecutive_ports() -> None:
    cables = local_cables(2, chips=3, copies=2)
    # Cables 0-1, 0-2 and 1-2, each twice; the second node has chips 3 to 5.
    pairs = [(0, 1), (0, 1), (0, 2), (0, 2), (1, 2), (1, 2)]
    assert cables.source.tolist() == [a for a, _ in pairs] + [a + 3 for a, _ in pairs]
    assert cables.target.tolist() == [b for _, b in pairs] + [b + 3 for _, b in pairs]
    assert cables.source_port.tolist() == [0, 1, 2, 3, 0, 1] * 2
    assert cables.target_port.tolist() == [2, 3, 0, 1, 2, 3] * 2
    assert (cables.level, cables.length_m) == (Level.LOCAL, LOCAL_LENGTH_M)
