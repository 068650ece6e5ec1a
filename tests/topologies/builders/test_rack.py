from collections import Counter

import numpy as np
import pytest

from topologies.builders.rack import RACK_LENGTH_M, rack_cables, rack_topology
from topologies.cables import CableBundle
from topologies.metrics.summary import describe
from topologies.topology import Level


def test_a_rack_on_its_own_links_each_pair_of_nodes_four_times() -> None:
    rack = rack_topology()
    assert rack.chips == 72
    between = rack.level == Level.RACK
    nodes = zip(
        rack.node[rack.source[between]], rack.node[rack.target[between]], strict=True
    )
    assert set(Counter(nodes).values()) == {4}
    assert describe(rack).degree == {"min": 11, "max": 11}


def ends(cables: CableBundle) -> np.ndarray:
    """Return chip and port of both ends of each cable, shape (4, cables)."""
    return np.stack(
        [cables.source, cables.source_port, cables.target, cables.target_port]
    )


@pytest.mark.parametrize("ports", [2, 4])
def test_a_copy_of_a_cable_leaves_from_the_chip_that_its_distance_names(
    ports: int,
) -> None:
    one = ends(rack_cables(1, ports))
    for chip, port, far_chip, _ in np.concatenate([one, one[[2, 3, 0, 1]]], axis=1).T:
        copy = port - 7
        distance = (chip % 8 - copy) % 8 + 1
        assert 0 <= copy < ports
        assert far_chip // 8 == (chip // 8 + distance) % 9


def test_all_racks_have_the_cables_of_the_first() -> None:
    cables = rack_cables(3, 2)
    first = ends(rack_cables(1, 2))
    shift = np.array([[72], [0], [72], [0]])
    assert np.array_equal(
        ends(cables), np.concatenate([first + rack * shift for rack in range(3)], 1)
    )
    assert first.shape[1] == 36 * 2
    assert (cables.level, cables.length_m) == (Level.RACK, RACK_LENGTH_M)
