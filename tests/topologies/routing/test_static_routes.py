import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.errors import TopologyError
from topologies.builders.dragonfly import dragonfly_topology
from topologies.builders.node import node_topology
from topologies.builders.rack import rack_topology
from topologies.routing.static_routes import Routes, chip_pairs
from topologies.selection import select_topology
from topologies.topology import Topology

EIGHT_RACKS = dragonfly_topology(8)
GRAPH = EIGHT_RACKS.to_networkx()
ROUTES = Routes(EIGHT_RACKS)
chips = st.integers(0, EIGHT_RACKS.chips - 1)


@given(chips, chips)
def test_paths_are_contiguous_and_minimal(source: int, target: int) -> None:
    path = ROUTES.path(source, target)
    at = source
    for link in path:
        assert EIGHT_RACKS.source[link] == at
        at = int(EIGHT_RACKS.target[link])
    assert at == target
    assert len(path) == nx.shortest_path_length(GRAPH, source, target)
    assert len(path) == ROUTES.hops(source, target)


@given(chips, chips)
def test_another_router_over_the_same_topology_takes_the_same_path(
    source: int, target: int
) -> None:
    assert Routes(EIGHT_RACKS).path(source, target) == ROUTES.path(source, target)


def test_the_path_to_myself_is_empty() -> None:
    assert ROUTES.path(5, 5) == ()
    assert ROUTES.hops(5, 5) == 0


def test_paths_in_a_node_are_single_links_used_by_one_pair_each() -> None:
    node = node_topology()
    routes = Routes(node)
    paths = {routes.path(a, b) for a in range(8) for b in range(8) if a != b}
    assert paths == {(link,) for link in range(2 * node.links)}


def load_of_links(topology: Topology) -> list[int]:
    """Paths over each directed link if every chip sends to every other."""
    routes = Routes(topology)
    load = [0] * (2 * topology.links)
    for source in range(topology.chips):
        for target in range(topology.chips):
            for link in routes.path(source, target):
                load[link] += 1
    return load


def test_equal_choices_share_the_traffic_of_a_rack() -> None:
    # 72 * 71 * 2.04 hops over 792 directed links: 13 on each if spread perfectly.
    load = load_of_links(rack_topology())
    assert round(sum(load) / len(load)) == 13
    assert min(load) >= 1
    # Always taking the first choice puts 51 on the busiest link.
    assert max(load) <= 32


@pytest.mark.parametrize(("source", "target"), [(0, 576), (-1, 3), (576, 0), (-5, -5)])
def test_chips_that_do_not_exist_are_refused(source: int, target: int) -> None:
    with pytest.raises(TopologyError, match="chips are numbered 0 to 575"):
        ROUTES.path(source, target)
    with pytest.raises(TopologyError, match="chips are numbered 0 to 575"):
        ROUTES.hops(source, target)


def test_pairs_are_in_the_order_of_their_distance_in_the_numbering() -> None:
    pairs = chip_pairs(select_topology(8))
    steps = [(target - source) % 8 for source, target in pairs]
    assert steps == [step for step in range(1, 8) for _ in range(8)]
    assert len(set(pairs)) == 56
