import networkx as nx
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from topologies.adjacency import Adjacency, components

# Two steps from 0 to 2, one from 1 to 2, one from 2 to 0; vertex 3 has none.
STEPS = Adjacency.of_steps(4, np.array([0, 2, 1, 0]), np.array([2, 0, 2, 2]))


def test_steps_are_kept_by_the_vertex_that_they_enter() -> None:
    assert STEPS.vertices == 4
    assert STEPS.starts.tolist() == [0, 1, 1, 3, 3]
    assert STEPS.source.tolist() == [2, 0, 1]
    assert STEPS.count.tolist() == [1, 2, 1]


def test_the_matrix_counts_steps_into_each_row_from_each_column() -> None:
    rows = [[0, 0, 1, 0], [0, 0, 0, 0], [2, 1, 0, 0], [0, 0, 0, 0]]
    assert STEPS.matrix().toarray().tolist() == rows


def test_with_a_step_to_itself_every_vertex_has_one() -> None:
    source, starts = STEPS.sources_and_self()
    into = [part.tolist() for part in np.split(source, starts[1:])]
    assert into == [[0, 2], [1], [2, 0, 1], [3]]


@given(
    vertices=st.integers(1, 12),
    pairs=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=14),
)
def test_components_are_named_by_their_smallest_vertices(
    vertices: int, pairs: list[tuple[int, int]]
) -> None:
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(vertices))
    graph.add_edges_from((a % vertices, b % vertices) for a, b in pairs)
    ends = np.array(list(graph.edges), dtype=np.int64).reshape(-1, 2)
    source, target = np.concatenate([ends, ends[:, ::-1]]).T
    smallest = {
        vertex: min(part) for part in nx.connected_components(graph) for vertex in part
    }
    found = components(vertices, source, target).tolist()
    assert found == [smallest[vertex] for vertex in range(vertices)]
