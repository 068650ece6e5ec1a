from collections import Counter
from collections.abc import Callable

import networkx as nx
import pytest

from topologies.builders.all_to_all_nodes import nodes33_topology
from topologies.builders.dragonfly import dragonfly_topology
from topologies.builders.rack import rack_topology
from topologies.io.networkx_graph import from_networkx
from topologies.metrics.gateway_distance import gateway_histogram
from topologies.topology import Topology

GatewayHops = Callable[[Topology, int, int], int]


def row_of_nodes() -> Topology:
    """Return four nodes of two chips in a row: 0-1, 2-3, 4-5 and 6-7."""
    graph: nx.Graph[int] = nx.path_graph(8)
    for a, b in graph.edges:
        graph.edges[a, b]["level"] = "local" if a % 2 == 0 else "rack"
    return from_networkx(graph)


def test_only_links_inside_intermediate_nodes_are_free() -> None:
    # From chip 0: 1 hop to chip 1, 2 to 2, 3 to 3 and 4 (2-3 is free), 4 to 5 and 6
    # (4-5 is free too), 5 to 7.
    assert gateway_histogram(row_of_nodes(), [0]).tolist() == [0, 1, 1, 2, 2, 1]


def test_several_sources_are_counted_together() -> None:
    # From chip 2: 1 hop to 1 and 3, 2 to 0 and 4, 3 to 5 and 6, 4 to 7.
    assert gateway_histogram(row_of_nodes(), [0, 2]).tolist() == [0, 3, 3, 4, 3, 1]


@pytest.mark.parametrize(
    "topology",
    [rack_topology(), dragonfly_topology(2), nodes33_topology(), dragonfly_topology(4)],
    ids=lambda built: f"{built.chips}",
)
def test_gateway_hops_agree_with_a_search_that_knows_both_ends(
    topology: Topology, gateway_hops_by_hand: GatewayHops
) -> None:
    sources = [0, topology.chips - 3]
    expected = Counter(
        gateway_hops_by_hand(topology, source, target)
        for source in sources
        for target in range(topology.chips)
        if target != source
    )
    histogram = gateway_histogram(topology, sources)
    assert {count: pairs for count, pairs in enumerate(histogram) if pairs} == expected
