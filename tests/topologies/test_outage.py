import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.errors import TopologyError
from topologies.builders.dragonfly import dragonfly_topology
from topologies.builders.node import node_topology
from topologies.builders.rack import rack_topology
from topologies.outage import NO_OUTAGE, Outage
from topologies.routing.spanning_tree import spanning_tree
from topologies.routing.static_routes import Routes

RACK = rack_topology()
chips = st.integers(0, RACK.chips - 1)
cables = st.integers(0, RACK.links - 1)


@st.composite
def outages(draw: st.DrawFn) -> Outage:
    dead = draw(st.lists(cables, max_size=10))
    links = frozenset(link for cable in dead for link in (2 * cable, 2 * cable + 1))
    return Outage(chips=draw(st.frozensets(chips, max_size=8)), links=links)


@given(outages(), chips, chips)
def test_paths_go_around_what_is_out_of_order(
    outage: Outage, source: int, target: int
) -> None:
    routes = Routes(RACK, outage)
    if source != target and {source, target} & outage.chips:
        with pytest.raises(
            TopologyError, match=f"chip {source} has no way to chip {target}: "
        ):
            routes.path(source, target)
        return
    # So few outages cut no other chip off.
    path, at = routes.path(source, target), source
    for link in path:
        assert RACK.source[link] == at
        assert link not in outage.links
        at = int(RACK.target[link])
        assert at not in outage.chips
    assert at == target
    assert len(path) == routes.hops(source, target)


@given(outages(), chips)
def test_trees_go_around_what_is_out_of_order(outage: Outage, root: int) -> None:
    if root in outage.chips:
        return
    tree = spanning_tree(RACK, root, outage=outage)
    routes = Routes(RACK, outage)
    for chip in range(RACK.chips):
        if chip in outage.chips:
            assert (tree.parent[chip], tree.depth[chip]) == (-1, -1)
        elif chip != root:
            link = int(tree.parent_link[chip])
            ends = (int(RACK.source[link]), int(RACK.target[link]))
            assert ends == (tree.parent[chip], chip)
            assert link not in outage.links
            assert ends[0] not in outage.chips
            assert tree.depth[chip] == tree.depth[ends[0]] + 1
            assert tree.depth[chip] == routes.hops(root, chip)


def test_without_outage_nothing_changes() -> None:
    topology = dragonfly_topology(3)
    assert NO_OUTAGE.works(topology).all()
    assert NO_OUTAGE.adjacency(topology) is topology.adjacency()
    default, same = (
        spanning_tree(topology, 5),
        spanning_tree(topology, 5, outage=Outage()),
    )
    for one, other in (
        (default.parent, same.parent),
        (default.parent_link, same.parent_link),
        (default.depth, same.depth),
    ):
        assert np.array_equal(one, other)
    routes, alike = Routes(topology), Routes(topology, NO_OUTAGE)
    assert all(routes.path(k, 215 - k) == alike.path(k, 215 - k) for k in range(216))


def test_a_chip_that_is_cut_off_is_named_with_what_is_out_of_order() -> None:
    node = node_topology()
    links = frozenset(link for link in node.out_links(3))
    both = links | {link ^ 1 for link in links}
    routes = Routes(node, Outage(links=both))
    with pytest.raises(TopologyError) as cut_off:
        routes.path(3, 6)
    assert str(cut_off.value) == (
        "chip 3 has no way to chip 6: 0 chips and 7 cables are out of order"
    )
    with pytest.raises(TopologyError, match="chip 0 has no way to chip 3"):
        routes.path(0, 3)


@given(outages())
def test_a_link_works_if_it_and_its_ends_do(outage: Outage) -> None:
    works = outage.works(RACK)
    for link in range(len(RACK.source)):
        ends = {int(RACK.source[link]), int(RACK.target[link])}
        assert works[link] == (link not in outage.links and not ends & outage.chips)
    counts = outage.adjacency(RACK).matrix().toarray()
    assert counts.sum() == works.sum()
