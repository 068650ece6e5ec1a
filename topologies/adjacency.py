"""Adjacency of a graph: the vertices from which one step leads to each vertex.

The arrays are those of a sparse matrix in compressed rows. To load SciPy for them would
take longer than a small simulation.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, final

import numpy as np
from numpy.typing import NDArray

from specs.arrays import Ints

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@final
@dataclass(frozen=True, slots=True, eq=False)
class Adjacency:
    """Adjacency of a directed graph, by the vertex that a step enters.

    Parameters
    ----------
    starts
        Place in `source` of the first step into each vertex, and the number of all,
        shape ``(vertices + 1,)``.
    source
        Vertices that steps leave, ascending for each vertex that they enter.
    count
        Parallel steps, shape as of `source`.
    """

    starts: NDArray[np.intp]
    source: NDArray[np.intp]
    count: Ints

    @classmethod
    def of_steps(
        cls, vertices: int, source: NDArray[np.integer], target: NDArray[np.integer]
    ) -> Self:
        """Return the adjacency of a graph from the two ends of each step.

        Parameters
        ----------
        vertices
            Number of vertices.
        source, target
            Vertices that each step leaves and enters, shape ``(steps,)``.
        """
        key = target.astype(np.int64) * vertices + source
        pairs, count = np.unique(key, return_counts=True)
        entered, left = np.divmod(pairs, vertices)
        starts = np.searchsorted(entered, np.arange(vertices + 1))
        arrays = (starts, left.astype(np.intp), count.astype(np.int64))
        for array in arrays:
            array.flags.writeable = False
        return cls(*arrays)

    @property
    def vertices(self) -> int:
        """Number of vertices."""
        return len(self.starts) - 1

    def matrix(self) -> "csr_array[np.float32]":
        """Return the number of steps into each row's vertex from each column's."""
        from scipy.sparse import csr_array  # noqa: PLC0415

        return csr_array(
            (self.count.astype(np.float32), self.source, self.starts),
            shape=(self.vertices, self.vertices),
        )

    def sources_and_self(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return `source` and `starts` with a step from each vertex to itself.

        The step to itself is the first of its vertex.
        """
        vertices = np.arange(self.vertices)
        return np.insert(self.source, self.starts[:-1], vertices), self.starts[
            :-1
        ] + vertices


def components(
    vertices: int, source: NDArray[np.integer], target: NDArray[np.integer]
) -> Ints:
    """Return the smallest vertex of the component of each vertex of a graph.

    Each round takes the smallest label over every edge, for a vertex and for the vertex
    that is its label, and then the label of each label.

    Parameters
    ----------
    vertices
        Number of vertices.
    source, target
        Ends of the edges, each in both directions, shape ``(2 * edges,)``.

    Examples
    --------
    >>> components(4, np.array([0, 3, 1, 2]), np.array([3, 0, 2, 1])).tolist()
    [0, 1, 1, 0]
    """
    label = np.arange(vertices)
    while True:
        before = label.copy()
        np.minimum.at(label, before[target], before[source])
        np.minimum.at(label, target, before[source])
        label = label[label]
        if np.array_equal(label, before):
            return label
