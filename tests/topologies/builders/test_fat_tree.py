import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies.builders.fat_tree import fat_tree_topology
from topologies.routing.breadth_first import hop_counts

trees = st.sampled_from([(2, 1), (2, 3), (2, 4), (3, 2), (3, 3), (4, 3), (5, 1)])


@given(trees, st.integers(1, 3))
def test_half_the_ports_go_up_and_half_down(tree: tuple[int, int], lanes: int) -> None:
    arity, levels = tree
    built = fat_tree_topology(arity, levels, lanes=lanes)
    assert built.active_chips == arity**levels
    assert built.chips == built.active_chips + lanes * levels * arity ** (levels - 1)
    assert built.links == lanes * levels * arity**levels
    degree = np.bincount(built.source)
    assert set(degree[built.active].tolist()) == {lanes}
    forwarding = np.delete(degree, built.active)
    inner = lanes * (levels - 1) * arity ** (levels - 1)
    assert sorted(forwarding.tolist()) == sorted(
        [2 * arity] * inner + [arity] * (len(forwarding) - inner)
    )


@given(trees, st.data())
def test_hops_go_up_to_the_first_common_digit_and_down(
    tree: tuple[int, int], data: st.DataObject
) -> None:
    arity, levels = tree
    built = fat_tree_topology(arity, levels)
    a, b = (data.draw(st.integers(0, arity**levels - 1)) for _ in range(2))
    hops = hop_counts(built.adjacency(), [int(built.active[a])])[built.active[b], 0]
    # The last digit is the place under a leaf, so the tree is climbed by the others
    # from the last to the first that differs.
    climbed = next(
        level for level in range(levels + 1) if a // arity**level == b // arity**level
    )
    assert hops == 2 * climbed


def test_the_tree_of_64_chips_has_full_bisection() -> None:
    tree = fat_tree_topology(4, 3)
    half = tree.chips // 2
    assert tree.active[32] == half
    crosses = (tree.source[::2] < half) != (tree.target[::2] < half)
    assert crosses.sum() == pytest.approx(32)
