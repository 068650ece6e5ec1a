import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specs.errors import TopologyError
from specs.machine import load_machine
from topologies.builders.dragonfly import dragonfly_topology
from topologies.builders.node import node_topology
from topologies.io.networkx_graph import from_networkx
from topologies.link_samples import measured_row
from topologies.outage import Outage
from topologies.routing.spanning_tree import SpanningTree, alignment_tree, spanning_tree
from topologies.routing.static_routes import Routes
from topologies.selection import select_topology

FOUR_RACKS = dragonfly_topology(4)
ROUTES = Routes(FOUR_RACKS)
roots = st.integers(0, FOUR_RACKS.chips - 1)


@given(roots)
def test_every_chip_hangs_one_below_its_parent_on_a_link_from_it(root: int) -> None:
    tree = spanning_tree(FOUR_RACKS, root)
    below = np.delete(np.arange(FOUR_RACKS.chips), root)
    assert (tree.depth[below] == tree.depth[tree.parent[below]] + 1).all()
    assert (FOUR_RACKS.source[tree.parent_link[below]] == tree.parent[below]).all()
    assert (FOUR_RACKS.target[tree.parent_link[below]] == below).all()
    assert (tree.parent[root], tree.parent_link[root], tree.depth[root]) == (-1, -1, 0)
    assert tree.height == tree.depth.max()


@given(roots, roots)
def test_depth_is_the_hop_count_from_the_root(root: int, chip: int) -> None:
    assert spanning_tree(FOUR_RACKS, root).depth[chip] == ROUTES.hops(root, chip)


@given(roots, roots)
def test_no_lower_neighbour_could_be_the_parent(root: int, chip: int) -> None:
    tree = spanning_tree(FOUR_RACKS, root)
    neighbours = FOUR_RACKS.target[list(FOUR_RACKS.out_links(chip))]
    nearer = neighbours[tree.depth[neighbours] < tree.depth[chip]]
    assert tree.parent[chip] == nearer.min(initial=-1 if chip == root else 10**6)
    if chip != root:
        parent = int(tree.parent[chip])
        assert tree.parent_link[chip] == FOUR_RACKS.links_between(parent, chip)[0]


def test_a_node_is_a_star() -> None:
    tree = spanning_tree(node_topology())
    assert tree.parent.tolist() == [-1, 0, 0, 0, 0, 0, 0, 0]
    assert tree.height == 1


@pytest.mark.parametrize("root", [-1, 8])
def test_a_root_that_does_not_exist_is_refused(root: int) -> None:
    with pytest.raises(TopologyError, match=rf"root {root} is not a chip: .* 0 to 7"):
        spanning_tree(node_topology(), root)


def tree_path(tree: SpanningTree, chip: int) -> list[int]:
    """Return the links from the root down to a chip."""
    links = []
    while chip != tree.root:
        links.append(int(tree.parent_link[chip]))
        chip = int(tree.parent[chip])
    return links[::-1]


@given(st.integers(0, 2**32), roots)
@settings(max_examples=10)
def test_a_weighted_tree_has_the_shortest_paths_of_a_graph_library(
    seed: int, root: int
) -> None:
    cable = np.random.default_rng(seed).integers(1, 6, FOUR_RACKS.links)
    weight = np.repeat(cable, 2)
    tree = spanning_tree(FOUR_RACKS, root, weight=weight)
    graph = FOUR_RACKS.to_networkx()
    for a, b, key in graph.edges(keys=True):
        graph.edges[a, b, key]["weight"] = int(cable[key])
    shortest = nx.single_source_dijkstra_path_length(graph, root)
    for chip in range(0, FOUR_RACKS.chips, 7):
        assert weight[tree_path(tree, chip)].sum() == shortest[chip]
        assert len(tree_path(tree, chip)) == tree.depth[chip]


def test_of_parallel_cables_the_lightest_is_taken() -> None:
    pair = from_networkx(nx.MultiGraph([(0, 1), (0, 1), (0, 1)]))
    links = pair.links_between(0, 1)
    weight = np.full(len(pair.source), 2)
    assert spanning_tree(pair, weight=weight).parent_link[1] == links[0]
    weight[links[1]] = 1
    assert spanning_tree(pair, weight=weight).parent_link[1] == links[1]


@given(
    roots,
    st.sets(roots, max_size=30),
    st.sets(st.integers(0, 2 * FOUR_RACKS.links - 1)),
)
def test_the_tree_does_without_what_is_dead(
    root: int, chips: set[int], links: set[int]
) -> None:
    chips = chips - {root}
    outage = Outage(chips=frozenset(chips), links=frozenset(links))
    tree = spanning_tree(FOUR_RACKS, root, outage=outage)
    graph = FOUR_RACKS.to_networkx()
    graph.remove_edges_from(
        [
            (a, b, key)
            for a, b, key in graph.edges(keys=True)
            if {2 * key, 2 * key + 1} & links
        ]
    )
    graph.remove_nodes_from(chips)
    hops = nx.single_source_shortest_path_length(graph, root)
    assert tree.depth.tolist() == [
        hops.get(chip, -1) for chip in range(FOUR_RACKS.chips)
    ]
    left_out = tree.depth < 0
    assert (tree.parent[left_out] == -1).all()
    assert (tree.parent_link[left_out] == -1).all()


def test_a_dead_root_is_refused() -> None:
    with pytest.raises(TopologyError, match="root 3 is dead: take a chip that works"):
        spanning_tree(node_topology(), 3, outage=Outage(chips=frozenset({3})))


@pytest.mark.parametrize("chips", [72, 576])
def test_least_error_adds_up_less_jitter_than_breadth_first(chips: int) -> None:
    topology, machine = select_topology(chips), load_machine()
    steady = machine.with_settings({"hac.tree": "least_error"})
    std = np.array([std for _, std in machine.link.jitter_rows])
    variance = std[measured_row(topology, len(std))] ** 2
    fewest = alignment_tree(topology, machine, 0)
    least = alignment_tree(topology, steady, 0)
    variances = [
        [variance[tree_path(tree, chip)].sum() for chip in range(chips)]
        for tree in (fewest, least)
    ]
    assert (np.array(variances[1]) <= np.array(variances[0]) + 1e-6).all()
    assert sum(variances[1]) < sum(variances[0])
    assert fewest.height <= least.height


def test_without_jitter_least_error_is_breadth_first() -> None:
    topology = select_topology(72)
    still = load_machine().with_settings(
        {"hac.tree": "least_error", "link.jitter_cycles": 0}
    )
    tree = alignment_tree(topology, still, 5)
    assert tree.parent_link.tolist() == spanning_tree(topology, 5).parent_link.tolist()
