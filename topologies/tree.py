"""The spanning tree over which clocks are aligned and starts are sent."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specs.errors import TopologyError
from topologies.hops import hop_counts
from topologies.outage import NO_OUTAGE, Outage
from topologies.topology import Topology

NONE = -1
"""What the root has for a parent and for the link from it."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class SpanningTree:
    """A tree of links that reaches every chip in the fewest hops from its root.

    Parameters
    ----------
    root
        Chip at the top.
    parent
        Chip above each chip, shape ``(chips,)``; -1 for the root and for chips that
        cannot be reached.
    parent_link
        Directed link from the parent to each chip, -1 as in `parent`, shape
        ``(chips,)``.
    depth
        Hops from the root to each chip, -1 if it cannot be reached, shape
        ``(chips,)``.
    height
        The largest depth.
    """

    root: int
    parent: NDArray[np.int32]
    parent_link: NDArray[np.int32]
    depth: NDArray[np.int32]
    height: int


def spanning_tree(
    topology: Topology, root: int = 0, outage: Outage = NO_OUTAGE
) -> SpanningTree:
    """Return the breadth-first tree from `root`.

    Each chip hangs below the lowest-numbered of its neighbours one level nearer the
    root, on the lowest-numbered link from it, so that the tree depends on nothing but
    the wiring.

    Parameters
    ----------
    topology
        The wiring.
    root
        Chip at the top.
    outage
        What the tree goes around.

    Raises
    ------
    TopologyError
        If `root` is not a chip of the topology.

    Examples
    --------
    >>> from topologies.node import node_topology
    >>> spanning_tree(node_topology(), root=2).parent.tolist()
    [2, 2, -1, 2, 2, 2, 2, 2]
    """
    if not 0 <= root < topology.chips:
        raise TopologyError(
            f"root {root} is not a chip: chips are numbered 0 to {topology.chips - 1}"
        )
    depth = hop_counts(outage.adjacency(topology), [root])[:, 0].astype(np.int32)
    source, target = topology.source, topology.target
    leads_down = (depth[source] >= 0) & (depth[target] == depth[source] + 1)
    down = np.flatnonzero(leads_down & outage.works(topology))
    # The stable sort keeps links in ascending order below equal child and parent.
    down = down[np.lexsort((source[down], target[down]))]
    child, first = np.unique(target[down], return_index=True)
    parent = np.full(topology.chips, NONE, np.int32)
    parent_link = np.full(topology.chips, NONE, np.int32)
    parent[child] = source[down[first]]
    parent_link[child] = down[first]
    for array in (parent, parent_link, depth):
        array.flags.writeable = False
    return SpanningTree(
        root=root,
        parent=parent,
        parent_link=parent_link,
        depth=depth,
        height=int(depth.max()),
    )
