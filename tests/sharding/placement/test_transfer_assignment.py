import numpy as np
import pytest

from sharding.placement.placement_problem import PlacementProblem
from sharding.placement.transfer_assignment import assigned_members
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import ModelSpec
from topologies.routing.breadth_first import hop_counts
from topologies.selection import select_topology

MACHINE = load_machine()
HOP_CYCLES = MACHINE.link.forward_cycles
ONE_CLASS = np.zeros(2, dtype=np.int64)


@pytest.fixture
def ring(tiny: ModelSpec) -> PlacementProblem:
    """Return pairs of chips of a ring of eight."""
    topology = select_topology(8, "torus:8")
    hops = hop_counts(topology.adjacency(), range(8))
    return PlacementProblem(
        Task(tiny, MACHINE, 2, 16, 1), topology, np.arange(8), hops.astype(np.int64)
    )


def test_each_member_transfers_to_the_nearest_of_the_next_stage(
    ring: PlacementProblem,
) -> None:
    groups = np.array([[0, 1], [2, 7], [6, 3]])
    assignment = assigned_members(ring, groups, ONE_CLASS)
    assert assignment.groups.tolist() == [[0, 1], [7, 2], [6, 3]]
    # A hop for each transfer; 3 from chip 3 to the leader, and 3 from it to chip 1.
    assert assignment.cycles == (1 + 1 + 3 + 3) * HOP_CYCLES
    # The given groups are not changed.
    assert groups.tolist() == [[0, 1], [2, 7], [6, 3]]


def test_the_leader_of_a_single_stage_is_nearest_to_all_members(
    ring: PlacementProblem,
) -> None:
    threes = ring._replace(task=ring.task._replace(tensor=3))
    assignment = assigned_members(threes, np.array([[2, 3, 4]]), np.zeros(3, int))
    assert assignment.groups.tolist() == [[3, 2, 4]]
    # One hop to gather, and one to return the token.
    assert assignment.cycles == 2 * HOP_CYCLES


def test_members_of_different_classes_keep_their_places(
    ring: PlacementProblem,
) -> None:
    classes = np.array([0, 0, 1])
    threes = ring._replace(task=ring.task._replace(tensor=3))
    assignment = assigned_members(threes, np.array([[2, 4, 3]]), classes)
    assert assignment.groups[0, 2] == 3
