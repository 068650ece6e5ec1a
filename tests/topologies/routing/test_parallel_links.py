import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies.builders.lpx import lpx_topology
from topologies.io.networkx_graph import from_networkx
from topologies.outage import Outage
from topologies.routing.minimal_paths import minimal_paths
from topologies.routing.parallel_links import LanedPaths, Lanes
from topologies.routing.static_routes import Routes
from topologies.selection import select_topology
from topologies.topology import Topology

TOPOLOGIES = [lpx_topology(3), select_topology(16, "torus:4x4*2"), select_topology(16)]
topologies = st.sampled_from(TOPOLOGIES)
seeds = st.integers(0, 2**32 - 1)


def pairs(topology: Topology, seed: int) -> tuple[np.ndarray, np.ndarray]:
    source, step = np.random.default_rng(seed).integers(0, topology.chips, (2, 9))
    return source, (source + 1 + step % (topology.chips - 1)) % topology.chips


@given(topologies, seeds, st.integers(1, 5))
def test_parallel_paths_pass_the_same_chips_and_share_no_link(
    topology: Topology, seed: int, most: int
) -> None:
    paths = minimal_paths(topology, *pairs(topology, seed))
    laned = Lanes(topology).beside(paths, np.full(len(paths), most))
    for row, path in enumerate(paths):
        beside = laned.path[laned.row == row]
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
        assert set(laned.lanes[laned.row == row].tolist()) == {len(beside)}


@given(topologies, seeds, st.integers(1, 5))
def test_routes_and_lanes_agree_on_every_parallel_path(
    topology: Topology, seed: int, most: int
) -> None:
    source, target = pairs(topology, seed)
    laned = Lanes(topology).beside(
        minimal_paths(topology, source, target), np.full(len(source), most)
    )
    routes = Routes(topology)
    for row, ends in enumerate(zip(source.tolist(), target.tolist(), strict=True)):
        lanes = [
            tuple(link for link in path if link >= 0)
            for path in laned.path[laned.row == row].tolist()
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
def test_the_path_from_a_chip_to_itself_is_empty(most: int) -> None:
    assert Routes(lpx_topology(1)).lanes(3, 3, most) == [()]


def test_three_parallel_cables_make_three_lanes_from_the_given_one_on() -> None:
    pair = from_networkx(nx.MultiGraph([(0, 1)] * 3))
    laned = Lanes(pair).beside(np.array([[2], [0]]), np.array([9, 2]))
    # Cables 0, 1 and 2 are links 0, 2 and 4 from chip 0 to chip 1.
    expected = LanedPaths(
        row=np.array([0, 0, 0, 1, 1]),
        lane=np.array([0, 1, 2, 0, 1]),
        lanes=np.array([3, 3, 3, 2, 2]),
        path=np.array([[2], [4], [0], [0], [2]], np.int32),
    )
    for name in LanedPaths._fields:
        assert np.array_equal(getattr(laned, name), getattr(expected, name))
