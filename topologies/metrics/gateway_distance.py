"""Hop counts that leave out moves inside a node merely passed through."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from topologies.routing.breadth_first import step_histogram
from topologies.topology import Topology


def gateway_histogram(topology: Topology, sources: Sequence[int]) -> NDArray[np.int64]:
    """Return how many chips lie at each number of gateway hops from `sources`.

    A move inside a node that holds neither the source nor the target of the path is
    free; a move inside the source's or the target's own node counts, and so does
    every link between nodes. This is the count under which a network with nodes as
    routers is usually quoted. It supposes that the chips of a node reach each other
    inside it.

    Returns
    -------
    NDArray
        Entry `h` counts the pairs of a source and a different chip `h` hops away,
        shape ``(diameter + 1,)``.

    Notes
    -----
    The count is an ordinary breadth-first search in a derived graph whose vertices
    are each chip as origin, each node as passed through, and each chip as
    destination. Every edge of it costs one hop: between origins of one node, from an
    origin over a link into a node or to a destination, from node to node, from a node
    to the destination at which the link ends, and between destinations of one node.
    """
    step = _derived_graph(topology)
    destinations = np.arange(step.shape[0] - topology.chips, step.shape[0])
    chips = np.asarray(sources, np.intp)
    # A source has arrived at itself, or there and back would count 2. What leads on
    # from there are the moves in its own node, and these cost the same either way.
    histogram = step_histogram(
        step, np.stack([chips, destinations[chips]], axis=1), destinations
    )
    histogram[0] = 0
    return histogram


def _derived_graph(topology: Topology) -> "csr_array[np.float32]":
    chips, nodes = topology.chips, int(topology.node.max()) + 1
    source = topology.source.astype(np.int64)
    target = topology.target.astype(np.int64)
    inside = topology.node[source] == topology.node[target]
    out, end = source[~inside], target[~inside]
    left = chips + topology.node[out].astype(np.int64)
    entered = chips + topology.node[end].astype(np.int64)
    to_destination = chips + nodes
    edges = [
        (source[inside], target[inside]),
        (out, entered),
        (left, entered),
        (left, to_destination + end),
        (to_destination + source[inside], to_destination + target[inside]),
        (source, to_destination + target),
    ]
    tail = np.concatenate([edge[0] for edge in edges])
    head = np.concatenate([edge[1] for edge in edges])
    vertices = chips + nodes + chips
    ones = np.ones(len(tail), np.float32)
    return coo_array((ones, (head, tail)), shape=(vertices, vertices)).tocsr()
