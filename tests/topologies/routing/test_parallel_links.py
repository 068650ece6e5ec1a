import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies.builders.lpx import lpx_topology
from topologies.outage import Outage
from topologies.routing.minimal_paths import minimal_paths
from topologies.routing.parallel_links import Lanes
from topologies.routing.static_routes import Routes
from topologies.selection import select_topology
from topologies.topology import Topology

WIRINGS = [lpx_topology(3), select_topology(16, "torus:4x4*2"), select_topology(16)]
wirings = st.sampled_from(WIRINGS)
seeds = st.integers(0, 2**32 - 1)


def pairs(topology: Topology, seed: int) -> tuple[np.ndarray, np.ndarray]:
    source, step = np.random.default_rng(seed).integers(0, topology.chips, (2, 9))
    return source, (source + 1 + step % (topology.chips - 1)) % topology.chips


@given(wirings, seeds, st.integers(1, 5))
def test_ways_side_by_side_pass_the_same_chips_and_share_no_link(
    topology: Topology, seed: int, most: int
) -> None:
    paths = minimal_paths(topology, *pairs(topology, seed))
    found = Lanes(topology).beside(paths, np.full(len(paths), most))
    for row, path in enumerate(paths):
        beside = found.path[found.row == row]
        taken = path[path >= 0]
        assert beside[0].tolist() == path.tolist()
        for ends in (topology.source, topology.target):
            assert (ends[beside[:, : len(taken)]] == ends[taken]).all()
        assert len(np.unique(beside[:, : len(taken)])) == len(beside) * len(taken)
        fewest = min(
            len(topology.links_between(topology.source[n], topology.target[n]))
            for n in taken.tolist()
        )
        assert len(beside) == min(most, fewest)
        assert set(found.lanes[found.row == row].tolist()) == {len(beside)}


@given(wirings, seeds, st.integers(1, 5))
def test_one_way_at_a_time_or_many_the_lanes_are_the_same(
    topology: Topology, seed: int, most: int
) -> None:
    source, target = pairs(topology, seed)
    found = Lanes(topology).beside(
        minimal_paths(topology, source, target), np.full(len(source), most)
    )
    routes = Routes(topology)
    for row, ends in enumerate(zip(source.tolist(), target.tolist(), strict=True)):
        lanes = [
            tuple(link for link in path if link >= 0)
            for path in found.path[found.row == row].tolist()
        ]
        assert routes.lanes(*ends, most) == lanes


def test_a_dead_cable_leaves_a_lane_less() -> None:
    rack = lpx_topology(1)
    whole = Routes(rack).lanes(0, 1, 4)
    dead = Outage(links=frozenset({whole[1][0], whole[1][0] ^ 1}))
    left = Routes(rack, dead).lanes(0, 1, 4)
    assert (len(whole), len(left)) == (4, 3)
    assert whole[1] not in left


@pytest.mark.parametrize("most", [1, 4])
def test_a_chip_has_no_way_to_itself(most: int) -> None:
    assert Routes(lpx_topology(1)).lanes(3, 3, most) == [()]
