import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sharding.parallelism.strategy import Strategy
from sharding.parallelism.tensor_group import FeedForwardLayout
from sharding.placement.locality_placement import nearby, nearby_chips
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import load_model
from topologies.routing.breadth_first import hop_counts
from topologies.selection import select_topology
from topologies.spare_nodes import select_with_spares

MACHINE = load_machine()


def task(model: str = "llama-2-70b") -> Task:
    return Task(load_model(model), MACHINE, 1, 512, 1)


@given(
    name=st.sampled_from(["auto", "torus:4x6", "fat-tree:3x3", "dragonfly:random-2"]),
    model=st.sampled_from(["llama-2-70b", "bert-base"]),
    tensor=st.integers(1, 24),
    pipeline=st.integers(1, 6),
)
def test_a_placement_is_of_distinct_active_chips_and_always_the_same(
    name: str, model: str, tensor: int, pipeline: int
) -> None:
    strategy = Strategy(tensor=tensor, pipeline=pipeline)
    sized = name in ("torus:4x6", "fat-tree:3x3")
    topology = select_topology(24 if sized else strategy.chips + 5, name)
    assume(strategy.chips <= topology.active_chips)
    chips = nearby_chips(task(model), strategy, topology)
    assert chips.shape == (strategy.chips,)
    assert len(np.unique(chips)) == strategy.chips
    assert np.isin(chips, topology.active).all()
    again = nearby_chips(task(model), strategy, topology)
    assert again.tolist() == chips.tolist()


def test_spare_nodes_stay_idle() -> None:
    topology = select_with_spares(64, spare_nodes=1)
    placed = nearby(task(), Strategy(tensor=6, pipeline=10), topology)
    assert placed.active_chips == 64
    assert sorted(placed.active.tolist()) == sorted(topology.active.tolist())
    assert placed.active.tolist() != topology.active.tolist()


@pytest.mark.parametrize("tensor", [2, 4, 8])
def test_groups_that_fit_a_node_stay_in_one(tensor: int) -> None:
    topology = select_topology(72)
    strategy = Strategy(tensor=tensor, pipeline=72 // tensor)
    groups = nearby_chips(task(), strategy, topology).reshape(-1, tensor)
    nodes = topology.node[groups]
    assert (nodes == nodes[:, :1]).all()


def test_whole_nodes_of_a_wide_group_are_of_one_rack_as_far_as_racks_hold_them() -> (
    None
):
    topology = select_topology(144)
    strategy = Strategy(tensor=16, pipeline=8)
    groups = nearby_chips(task(), strategy, topology).reshape(-1, 16)
    racks = topology.rack[groups]
    assert (racks == racks[:, :1]).all()


def test_a_kv_head_group_is_a_node_and_a_neighbour_of_it() -> None:
    # 72 chips serve 8 heads in groups of 9; in the order of the rack they are 3 hops
    # apart.
    topology = select_topology(72)
    chips = nearby_chips(task(), Strategy(tensor=72, pipeline=1), topology)
    hops = hop_counts(topology.adjacency(), range(72))
    for group in chips.reshape(8, 9):
        assert hops[np.ix_(group, group)].max() == 2


def test_stages_of_one_chip_follow_each_other_along_cables() -> None:
    topology = select_topology(16, "torus:4x4")
    chips = nearby_chips(task(), Strategy(tensor=1, pipeline=16), topology)
    hops = hop_counts(topology.adjacency(), range(16))
    around = hops[chips, np.roll(chips, -1)]
    assert around.tolist() == [1] * 16


def test_machines_too_large_for_a_hop_table_keep_their_order() -> None:
    topology = select_topology(2160)
    chips = nearby_chips(task(), Strategy(tensor=8, pipeline=270), topology)
    assert chips.tolist() == list(range(2160))


def test_replicas_come_apart_and_grids_keep_the_places_of_their_members() -> None:
    topology = select_topology(72)
    apart = Strategy(tensor=3, pipeline=1, data=4)
    assert nearby_chips(task(), apart, topology)[::3].tolist() == [0, 3, 8, 11]
    grids = Strategy(tensor=4, pipeline=9, layout=FeedForwardLayout.TWO_D)
    groups = nearby_chips(task(), grids, topology).reshape(9, 4)
    assert (np.diff(groups) > 0).all()
