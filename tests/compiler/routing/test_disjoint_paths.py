import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.cost.link_timing import link_timing
from compiler.routing.disjoint_paths import (
    DisjointPath,
    disjoint_paths,
    vectors_per_path,
)
from specs.arrays import Ints
from specs.machine import load_machine
from topologies.selection import select_topology

MACHINE = load_machine()
NODE, RACK = select_topology(8), select_topology(72)
costs = st.lists(st.integers(0, 3000), min_size=1, max_size=8).map(
    lambda each: np.array(sorted(each), dtype=np.int64)
)


def test_a_node_offers_the_direct_link_and_six_paths_over_the_other_chips() -> None:
    paths = disjoint_paths(NODE, link_timing(NODE, MACHINE, 30), 0, 7)
    assert [len(path.links) for path in paths] == [1, 2, 2, 2, 2, 2, 2]


@pytest.mark.parametrize("target", [7, 20, 71])
def test_paths_lead_there_and_share_no_link(target: int) -> None:
    paths = disjoint_paths(RACK, link_timing(RACK, MACHINE, 30), 0, target)
    every = [link for path in paths for link in path.links]
    assert len(set(every)) == len(every)
    for path in paths:
        chips = [0, *RACK.target[list(path.links)].tolist()]
        assert RACK.source[list(path.links)].tolist() == chips[:-1]
        assert chips[-1] == target
        assert len(set(chips)) == len(chips)


def there_cycles(fixed: Ints, share: Ints) -> int:
    ends: list[int] = [
        cost + MACHINE.line.offset_cycles(vectors - 1)
        for cost, vectors in zip(fixed.tolist(), share.tolist(), strict=True)
        if vectors
    ]
    return max(ends)


@given(fixed=costs, vectors=st.integers(1, 400))
def test_moving_a_vector_to_another_path_never_helps(fixed: Ints, vectors: int) -> None:
    share = vectors_per_path(MACHINE, fixed, vectors)
    assert share.sum() == vectors
    assert share.min() >= 0
    least = there_cycles(fixed, share)
    for giver in np.flatnonzero(share).tolist():
        for taker in range(len(fixed)):
            moved = share.copy()
            moved[giver] -= 1
            moved[taker] += 1
            assert there_cycles(fixed, moved) >= least


def test_a_detour_costs_a_relay_hop_more_than_the_direct_link() -> None:
    timing = link_timing(NODE, MACHINE, 30)
    direct, detour, *_ = disjoint_paths(NODE, timing, 0, 7)
    (link,) = direct.links
    hop = int(timing.latency_cycles[link]) + 30
    assert direct == DisjointPath(hop, (link,))
    assert detour.fixed_cycles == 2 * hop + timing.pass_cycles
