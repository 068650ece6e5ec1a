import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.errors import TopologyError
from topologies.dragonfly import dragonfly_topology
from topologies.node import node_topology
from topologies.routes import Routes
from topologies.tree import spanning_tree

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
