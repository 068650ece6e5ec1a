"""Gateway hop counts: distances with nodes as the routers of the network."""

from collections.abc import Sequence

import numpy as np

from specs.arrays import Ints
from topologies.adjacency import Adjacency
from topologies.routing.breadth_first import step_histogram
from topologies.topology import Topology


def gateway_histogram(topology: Topology, sources: Sequence[int]) -> Ints:
    """Return the distance metric: chips at each gateway hop count from `sources`.

    A link inside a node that holds neither the source nor the target of the path costs
    nothing. A link inside the node of the source or the target counts, and so does
    every link between nodes. Networks with nodes as routers are commonly quoted by
    this count. It assumes that the chips of a node reach each other inside it.

    Parameters
    ----------
    topology
        Chips and links.
    sources
        Chips to count from.

    Returns
    -------
    Ints
        Entry `h` counts the pairs of a source and a different chip `h` hops away,
        shape ``(diameter + 1,)``.

    Notes
    -----
    The count is a breadth-first search in a derived graph. Its vertices are each chip
    as origin, each node as intermediate node, and each chip as destination. Each of
    its edges costs one hop: between origins of one node, from an origin over a link
    into a node or to a destination, from node to node, from a node to the destination
    at which the link ends, and between destinations of one node.
    """
    step = _derived_graph(topology)
    destinations = np.arange(step.vertices - topology.chips, step.vertices)
    chips = np.asarray(sources, np.intp)
    # A source is its own destination from the start; the path out and back would count
    # 2. The destination's further edges are the links of its own node, which cost the
    # same for both vertices.
    histogram = step_histogram(
        step, np.stack([chips, destinations[chips]], axis=1), destinations
    )
    histogram[0] = 0
    return histogram


def _derived_graph(topology: Topology) -> Adjacency:
    """Return the metric's graph over origins, nodes between and destinations."""
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
    return Adjacency.of_steps(vertices, tail, head)
