import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies.adjacency import Adjacency
from topologies.io.networkx_graph import from_networkx
from topologies.routing import breadth_first
from topologies.routing.breadth_first import UNREACHABLE, hop_counts, step_histogram

ROW = from_networkx(nx.path_graph(4)).adjacency()


def test_hop_counts_are_the_distances_from_each_start() -> None:
    hops = hop_counts(ROW, [0, 2])
    assert hops.T.tolist() == [[0, 1, 2, 3], [2, 1, 0, 1]]


def test_a_step_leads_only_from_its_source_to_its_target() -> None:
    # One step from vertex 0 to vertex 1, none back; vertex 2 has no steps.
    step = Adjacency.of_steps(3, np.array([0]), np.array([1]))
    assert hop_counts(step, [0, 1]).T.tolist() == [
        [0, 1, UNREACHABLE],
        [UNREACHABLE, 0, UNREACHABLE],
    ]


def test_a_search_may_start_from_several_vertices() -> None:
    starts = np.array([[0, 3], [1, 1]])
    # From 0 and 3 at once: two ends at 0 hops, two at 1. From 1: 1, 2 and 1.
    assert step_histogram(ROW, starts, np.arange(4)).tolist() == [3, 4, 1]


def test_searches_from_the_same_vertex_are_counted_each() -> None:
    starts = np.array([[0], [0], [0]])
    assert step_histogram(ROW, starts, np.arange(4)).tolist() == [3, 3, 3, 3]


def test_only_the_ends_asked_for_are_counted() -> None:
    assert step_histogram(ROW, np.array([[0]]), np.array([3])).tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("block", [3, 512])
@given(chips=st.integers(2, 70), seed=st.integers(0, 2**32 - 1))
def test_the_histogram_counts_the_hop_counts(block: int, chips: int, seed: int) -> None:
    tree = nx.random_labeled_tree(chips, seed=seed)
    step = from_networkx(tree, ports_per_chip=chips).adjacency()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(breadth_first, "BLOCK_STARTS", block)
        histogram = step_histogram(step, np.arange(chips)[:, None], np.arange(chips))
    hops = hop_counts(step, range(chips))
    assert histogram.tolist() == np.bincount(hops.ravel()).tolist()
