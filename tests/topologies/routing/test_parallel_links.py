import networkx as nx
import numpy as np
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


def test_a_dead_cable_leaves_a_lane_less() -> None:
    rack = lpx_topology(1)
    (path,) = minimal_paths(rack, np.array([0]), np.array([1]))
    four = np.array([4])
    whole = Lanes(rack).beside(path[None], four).path[:, 0].tolist()
    dead = Outage(links=frozenset({whole[1], whole[1] ^ 1}))
    left = Routes(rack, dead).lanes.beside(path[None], four).path[:, 0].tolist()
    assert left == [whole[0], *whole[2:]]


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
