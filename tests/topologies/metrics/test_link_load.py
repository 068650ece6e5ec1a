from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies.builders.all_to_all_nodes import nodes33_topology
from topologies.builders.dragonfly import dragonfly_topology
from topologies.builders.node import node_topology
from topologies.builders.rack import rack_topology
from topologies.builders.torus_and_butterfly import (
    flattened_butterfly_topology,
    torus_topology,
)
from topologies.io.networkx_graph import from_networkx
from topologies.metrics import link_load
from topologies.metrics.link_load import UniformTraffic, minimal_loads, uniform_traffic
from topologies.metrics.summary import describe
from topologies.selection import select_topology
from topologies.topology import Topology

SYMMETRIC = [
    node_topology(),
    rack_topology(),
    nodes33_topology(),
    dragonfly_topology(3),
    torus_topology((5, 4, 2), lanes=2),
    flattened_butterfly_topology((4, 3, 2)),
]


def of_cables(topology: Topology) -> dict[frozenset[int], float]:
    """Load of each pair of neighbours, both directions together."""
    total: dict[frozenset[int], float] = {}
    ends = zip(topology.source.tolist(), topology.target.tolist(), strict=True)
    for pair, load in zip(ends, minimal_loads(topology).tolist(), strict=True):
        total[frozenset(pair)] = total.get(frozenset(pair), 0.0) + load
    return total


@given(st.integers(3, 30), st.integers(0, 2**32 - 1))
def test_loads_are_the_edge_betweenness(chips: int, seed: int) -> None:
    graph = nx.connected_watts_strogatz_graph(chips, 2, 0.5, seed=seed)
    loads = of_cables(from_networkx(graph, ports_per_chip=chips))
    expected = nx.edge_betweenness_centrality(graph, normalized=False)
    for ends, load in expected.items():
        # Theirs counts each pair once, ours each way.
        assert loads[frozenset(ends)] == pytest.approx(2 * load, rel=1e-5)


@pytest.mark.parametrize("topology", SYMMETRIC, ids=lambda built: built.name)
def test_representatives_give_the_loads_of_all_chips(topology: Topology) -> None:
    of_all = minimal_loads(replace(topology, representatives=None))
    assert minimal_loads(topology) == pytest.approx(of_all, rel=1e-5)


@pytest.mark.parametrize("topology", SYMMETRIC, ids=lambda built: built.name)
def test_loads_add_up_to_hops(topology: Topology) -> None:
    hops = describe(topology).hop_histogram
    expected = sum(count * pairs for count, pairs in hops.items())
    assert minimal_loads(topology).sum() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("cells", "links"), [(1, 1), (100, 7), (2**20, 2**13)])
def test_smaller_blocks_change_no_load(
    cells: int, links: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = minimal_loads(rack_topology())
    monkeypatch.setattr(link_load, "_BLOCK_CELLS", cells)
    monkeypatch.setattr(link_load, "_CHUNK_LINKS", links)
    assert minimal_loads(rack_topology()) == pytest.approx(whole, rel=1e-6)


@pytest.mark.parametrize("topology", SYMMETRIC, ids=lambda built: built.name)
def test_the_busiest_link_carries_no_more_than_the_bounds(topology: Topology) -> None:
    traffic = uniform_traffic(topology)
    assert traffic.mean_hops == pytest.approx(describe(topology).mean_hops, rel=1e-12)
    least = min(traffic.level_links.values())
    assert traffic.minimal_links <= least + 1e-5
    assert least <= traffic.bound_links + 1e-5


def test_four_of_11_links_and_2_6_hops_bound_the_33_node_system() -> None:
    system = nodes33_topology()
    traffic = uniform_traffic(system)
    mean_hops = describe(system).mean_hops
    assert traffic.bound_links == pytest.approx(11 / mean_hops, rel=1e-9)
    assert traffic.bound_links == pytest.approx(4.095, abs=5e-4)


def test_only_chips_that_work_send() -> None:
    tree = select_topology(64, "fat-tree")
    # Each leaf has one link, and everything it sends goes over that.
    assert minimal_loads(tree)[np.isin(tree.source, tree.active)] == pytest.approx(63)
    assert uniform_traffic(tree).minimal_links == pytest.approx(1, rel=1e-5)


def test_a_single_chip_sends_nothing() -> None:
    alone = from_networkx(nx.empty_graph(1))
    traffic = uniform_traffic(alone)
    assert (traffic.bound_links, traffic.minimal_links, traffic.level_links) == (
        0,
        0,
        {},
    )


def test_each_of_the_seven_links_of_a_chip_carries_a_seventh() -> None:
    assert uniform_traffic(node_topology()) == UniformTraffic(
        mean_hops=1.0, bound_links=7.0, level_links={"local": 7.0}, minimal_links=7.0
    )
