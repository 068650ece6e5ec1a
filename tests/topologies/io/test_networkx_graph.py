import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.errors import TopologyError
from topologies.builders.dragonfly import dragonfly_topology
from topologies.io.networkx_graph import from_networkx
from topologies.metrics.summary import describe, fingerprint
from topologies.topology import Level


def two_chips(**attributes: object) -> "nx.Graph[int]":
    graph: nx.Graph[int] = nx.Graph()
    graph.add_edge(0, 1, **attributes)
    return graph


def test_a_dragonfly_survives_a_round_trip_through_networkx() -> None:
    built = dragonfly_topology(2)
    again = from_networkx(built.to_networkx())
    assert again.name == "dragonfly"
    assert fingerprint(again) == fingerprint(built)
    for name in ("rack", "node", "slot"):
        assert getattr(again, name).tolist() == getattr(built, name).tolist()


def test_places_are_derived_from_levels_where_the_graph_has_none() -> None:
    built = dragonfly_topology(2)
    graph = built.to_networkx()
    for chip in graph:
        graph.nodes[chip].clear()
    again = from_networkx(graph)
    for name in ("rack", "node", "slot"):
        assert getattr(again, name).tolist() == getattr(built, name).tolist()


def test_a_plain_graph_gets_ports_in_order_local_cables_and_a_metre() -> None:
    ring = from_networkx(nx.cycle_graph(4), name="ring")
    assert ring.source.tolist() == [0, 1, 0, 3, 1, 2, 2, 3]
    assert ring.source_port.tolist() == [0, 0, 1, 0, 1, 0, 1, 1]
    assert set(ring.level.tolist()) == {Level.LOCAL}
    assert set(ring.length_m.tolist()) == {1.0}
    assert describe(ring).diameter_hops == 2


@given(st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_any_tree_becomes_a_machine(chips: int, seed: int) -> None:
    tree = nx.random_labeled_tree(chips, seed=seed)
    topology = from_networkx(tree, ports_per_chip=chips)
    again = topology.to_networkx().edges(keys=False)
    assert {frozenset(ends) for ends in again} == {frozenset(e) for e in tree.edges}


def test_labels_that_are_not_numbers_are_numbered_in_the_graphs_order() -> None:
    graph: nx.Graph[str] = nx.Graph([("b", "a"), ("b", "c")])
    assert from_networkx(graph).source.tolist() == [0, 1, 0, 2]


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (nx.path_graph(2, create_using=nx.DiGraph), "directed.*graph.to_undirected"),
        (nx.empty_graph(0), "no nodes; a machine needs at least 1 chip"),
        (nx.complete_graph(13), "chip 0 has 12 links but 11 ports; remove 1 of them"),
        (nx.empty_graph(2), "chip 1 cannot be reached from chip 0"),
        (two_chips(level="globl"), "edge 0 - 1: no level 'globl'; .*'global'"),
        (
            two_chips(length_m=-2),
            "edge 0 - 1: length_m must be > 0 metres and at most 10,000, got -2",
        ),
        (
            two_chips(length_m="far"),
            "length_m must be > 0 metres and at most 10,000, got 'far'",
        ),
        (two_chips(source_port="x"), "source_port must be a whole number .*, got 'x'"),
        (nx.Graph([(0, 1), (1, 1)]), "chip 1 is linked to itself by cable 1"),
    ],
)
def test_graphs_that_are_no_machine_are_refused(
    graph: "nx.Graph[int]", message: str
) -> None:
    with pytest.raises(TopologyError, match=message):
        from_networkx(graph)


def test_an_attribute_that_would_be_left_out_is_refused_with_the_nearest() -> None:
    graph = nx.path_graph(3)
    graph.edges[0, 1]["length"] = 1000.0
    with pytest.raises(TopologyError, match=r"edge 0 - 1: no attribute 'length'; did "):
        from_networkx(graph)
    graph = nx.path_graph(3)
    graph.nodes[2]["racks"] = 1
    with pytest.raises(TopologyError, match="node 2: no attribute 'racks'; did you"):
        from_networkx(graph)


def test_names_and_drawing_positions_of_other_programs_do_no_harm() -> None:
    graph = nx.path_graph(3)
    nx.set_node_attributes(graph, {0: (0, 1)}, "pos")
    graph.edges[0, 1]["id"] = "e"
    assert from_networkx(graph).links == 2


def test_numbers_written_as_fractions_are_whole() -> None:
    graph = nx.path_graph(2)
    graph.edges[0, 1].update(source_port=3.0, target_port=4.0)
    topology = from_networkx(graph)
    assert (int(topology.source_port[0]), int(topology.target_port[0])) == (3, 4)
    graph.edges[0, 1]["source_port"] = 3.5
    with pytest.raises(TopologyError, match=r"source_port must be a whole .* got 3\.5"):
        from_networkx(graph)


def test_numbers_of_nodes_and_racks_are_names() -> None:
    graph = nx.path_graph(3)
    for chip, (rack, node) in enumerate(((7, 99_999_999), (7, 99_999_999), (9, 5))):
        graph.nodes[chip].update(rack=rack, node=node, slot=chip % 2)
    topology = from_networkx(graph)
    assert topology.rack.tolist() == [0, 0, 1]
    assert topology.node.tolist() == [1, 1, 0]


def test_one_chip_alone_is_a_machine() -> None:
    graph = nx.empty_graph(1)
    assert from_networkx(graph).chips == 1
