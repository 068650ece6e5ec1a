import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from sharding.placement.group_clustering import (
    POOL,
    compact_groups,
    hop_weights,
    improved_by_swaps,
)
from topologies.builders.rack import rack_topology
from topologies.routing.breadth_first import hop_counts
from topologies.selection import select_topology


def hops_of(name: str, chips: int) -> np.ndarray:
    adjacency = select_topology(chips, name).adjacency()
    return hop_counts(adjacency, range(chips))


def total(weight: np.ndarray, groups: np.ndarray) -> float:
    return float(sum(weight[np.ix_(group, group)].sum() for group in groups))


def test_each_further_hop_weighs_four_times_as_much() -> None:
    assert hop_weights(np.arange(5)).tolist() == [0, 1, 4, 16, 64]


@given(
    name=st.sampled_from(["rack", "torus:4x5", "hypercube:4", "flattened-butterfly"]),
    tensor=st.integers(1, 9),
    pipeline=st.integers(1, 4),
)
def test_groups_are_distinct_places_and_no_heavier_than_consecutive_ones(
    name: str, tensor: int, pipeline: int
) -> None:
    topology = select_topology(
        max(16, tensor * pipeline) if name == "rack" else 16, name
    )
    chips = topology.active
    weight = hop_weights(hop_counts(topology.adjacency(), chips.tolist())[chips])
    taken = tensor * pipeline
    assume(taken <= len(chips))
    units = topology.node[chips], topology.rack[chips]
    groups = compact_groups(weight, units, tensor=tensor, pipeline=pipeline)
    assert groups.shape == (pipeline, tensor)
    assert len(np.unique(groups)) == taken
    naive = np.arange(taken).reshape(pipeline, tensor)
    assert total(weight, groups) <= total(weight, naive)


def test_groups_of_six_take_whole_nodes_while_there_are_any() -> None:
    rack = rack_topology()
    weight = hop_weights(hop_counts(rack.adjacency(), range(72)))
    groups = compact_groups(weight, (rack.node, rack.rack), tensor=6, pipeline=9)
    nodes = rack.node[groups]
    assert (nodes == nodes[:, :1]).all()


def test_eight_of_a_torus_are_a_block_and_no_row() -> None:
    hops = hops_of("torus:8x8", 64)
    groups = compact_groups(hop_weights(hops), (), tensor=8, pipeline=8)
    # A block of 2 x 4 is 4 hops wide; a row that closes to a ring is, too, but has
    # fewer chips next to each other.
    assert max(int(hops[np.ix_(group, group)].max()) for group in groups) <= 4
    rows = np.arange(64).reshape(8, 8)
    weight = hop_weights(hops)
    assert total(weight, groups) < total(weight, rows)


def test_swaps_take_from_the_pool_what_is_nearer() -> None:
    line = np.abs(np.arange(4)[:, None] - np.arange(4))
    label = improved_by_swaps(hop_weights(line), np.array([0, POOL, POOL, 0]))
    assert np.diff(np.flatnonzero(label == 0)).tolist() == [1]
