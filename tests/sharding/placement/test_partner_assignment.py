import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sharding.placement.group_clustering import hop_weights
from sharding.placement.partner_assignment import MemberPaths, partners
from topologies.builders.rack import rack_topology
from topologies.routing.breadth_first import hop_counts
from topologies.routing.minimal_paths import NO_LINK, minimal_paths

RACK = rack_topology()
HOPS = hop_counts(RACK.adjacency(), range(72))


def paths_between(one: np.ndarray, other: np.ndarray) -> MemberPaths:
    source, target = np.broadcast_arrays(one[:, None], other)
    path = minimal_paths(RACK, source.ravel(), target.ravel())
    return MemberPaths(path.reshape(len(one), len(other), -1), 600, 100)


def test_shards_that_share_a_link_come_one_after_the_other() -> None:
    path = np.array([[[0, 1], [2, NO_LINK]], [[3, 1], [4, NO_LINK]]])
    paths = MemberPaths(path, hop_cycles=600, line_cycles=100)
    choices = np.array([[0, 0], [1, 1], [0, 1]])
    arrivals = paths.arrivals(choices)
    assert arrivals.tolist() == [[1300, 1300], [600, 600], [1200, 600]]


@given(
    chips=st.permutations(range(72)),
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=5),
)
def test_classes_stay_together_and_no_shard_comes_later_than_if_paired_in_order(
    chips: list[int], sizes: list[int]
) -> None:
    kind = np.repeat(np.arange(len(sizes)), sizes)
    one, other = np.array(chips[: len(kind)]), np.array(chips[-len(kind) :])
    paths = paths_between(one, other)
    assigned = partners(paths, hop_weights(HOPS[np.ix_(one, other)]), kind)
    assert sorted(assigned.tolist()) == list(range(len(kind)))
    for members in (np.flatnonzero(kind == number) for number in set(kind.tolist())):
        assert len(np.unique(kind[assigned[members]])) == 1
    straight = np.arange(len(kind))
    latest = paths.arrivals(np.stack([assigned, straight])).max(axis=1)
    assert latest[0] <= latest[1]


def test_nodes_of_a_rack_transfer_in_two_hops() -> None:
    one, other = np.arange(8), np.arange(8, 16)
    paths = paths_between(one, other)
    kind = np.zeros(8, dtype=np.int64)
    assigned = partners(paths, hop_weights(HOPS[np.ix_(one, other)]), kind)
    hops = HOPS[one, other[assigned]]
    assert hops.max() == 2
    assert HOPS[one, other].max() == 3
