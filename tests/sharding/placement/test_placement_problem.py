from collections.abc import Callable

import numpy as np
import pytest

from sharding.parallelism.tensor_group import FeedForwardLayout
from sharding.placement.placement_problem import PlacementProblem
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import ModelSpec, load_model
from topologies.routing.breadth_first import hop_counts
from topologies.selection import select_topology

Problem = Callable[..., PlacementProblem]


@pytest.fixture
def problem(tiny: ModelSpec) -> Problem:
    def make(chips: int = 72, name: str = "auto", **split: object) -> PlacementProblem:
        topology = select_topology(chips, name)
        task = Task(tiny, load_machine(), 8, 16, 1)._replace(**split)  # type: ignore[arg-type]
        hops = hop_counts(topology.adjacency(), range(chips)).astype(np.int64)
        return PlacementProblem(task, topology, np.arange(chips), hops)

    return make


def test_members_of_a_group_that_exchange_directly_may_change_places(
    problem: Problem,
) -> None:
    assert not problem().keeps_order(np.arange(24))


@pytest.mark.parametrize(
    "split", [{"attention": 4}, {"expert": 2}, {"layout": FeedForwardLayout.TWO_D}]
)
def test_parts_of_a_group_and_2d_layouts_keep_the_order_of_members(
    problem: Problem, split: dict[str, object]
) -> None:
    assert problem(**split).keeps_order(np.arange(8))


def test_wide_groups_keep_their_order_if_they_fill_nodes_unevenly(
    problem: Problem,
) -> None:
    rack = problem()
    # Three nodes and one chip of the next; four nodes.
    assert rack.keeps_order(np.arange(25))
    assert not rack.keeps_order(np.arange(32))


def test_a_token_returns_from_the_farthest_member_through_the_leader(
    problem: Problem,
) -> None:
    ring = problem(8, "torus:8")
    last, first = np.array([4, 5, 6]), np.array([0, 1])
    # To chip 4: at most 2 hops within the group; from it 4 hops to chip 0.
    assert ring.return_hops(last, first).tolist() == [2 + 4, 1 + 4, 2 + 3]
    encoder = ring._replace(task=ring.task._replace(model=load_model("bert-base")))
    assert encoder.return_hops(last, first).tolist() == [2, 1, 2]
