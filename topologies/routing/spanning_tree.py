"""The spanning tree over which clocks are aligned and starts are sent."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from specs.errors import TopologyError
from specs.machine import MachineSpec
from topologies.link_samples import measured_row
from topologies.outage import NO_OUTAGE, Outage
from topologies.topology import Topology

NONE = -1
"""What the root has for a parent and for the link from it."""

# Variances become whole numbers of this many parts of a squared cycle, so that sums are
# exact and ties are ties.
_PARTS = 10**6


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class SpanningTree:
    """A tree of links that reaches every chip it can from its root.

    Parameters
    ----------
    root
        Chip at the top.
    parent
        Chip above each chip, -1 for the root and for chips left out, shape
        ``(chips,)``.
    parent_link
        Directed link from the parent to each chip, -1 like `parent`, shape
        ``(chips,)``.
    depth
        Links from the root to each chip, -1 for chips left out, shape ``(chips,)``.
    height
        The largest depth.
    """

    root: int
    parent: NDArray[np.int32]
    parent_link: NDArray[np.int32]
    depth: NDArray[np.int32]
    height: int


def spanning_tree(
    topology: Topology,
    root: int = 0,
    *,
    weight: NDArray[np.int64] | None = None,
    outage: Outage = NO_OUTAGE,
) -> SpanningTree:
    """Return the tree of shortest ways from `root`.

    Each chip hangs below the lowest-numbered of the neighbours through which a shortest
    way leads, on the lowest-numbered link of such a way, so that the tree depends on
    nothing but the wiring and the weights. Of parallel cables the lightest is taken.

    Parameters
    ----------
    topology
        The wiring.
    root
        Chip at the top.
    weight
        Length of each directed link, whole numbers above 0, shape
        ``(directed links,)``; without it a way is as long as its hops, and the tree
        breadth-first.
    outage
        What the tree must do without.

    Raises
    ------
    TopologyError
        If `root` is not a chip of the topology, or is dead.

    Examples
    --------
    >>> from topologies.builders.node import node_topology
    >>> spanning_tree(node_topology(), root=2).parent.tolist()
    [2, 2, -1, 2, 2, 2, 2, 2]
    >>> broken = Outage(chips=frozenset({3}))
    >>> spanning_tree(node_topology(), outage=broken).depth.tolist()
    [0, 1, 1, -1, 1, 1, 1, 1]
    """
    if not 0 <= root < topology.chips:
        raise TopologyError(
            f"root {root} is not a chip: chips are numbered 0 to {topology.chips - 1}"
        )
    if root in outage.chips:
        raise TopologyError(f"root {root} is dead: take a chip that works as the root")
    links = np.flatnonzero(outage.works(topology))
    source, target = topology.source[links], topology.target[links]
    length = np.ones(len(links)) if weight is None else weight[links].astype(float)
    distance = _distances(topology.chips, root, source, target, length)
    # Whole numbers, so equality is exact; what cannot be reached is at infinity.
    on_the_way = (distance[source] + length == distance[target]) & np.isfinite(
        distance[source]
    )
    down = np.flatnonzero(on_the_way)
    # The stable sort keeps links in ascending order below equal child and parent.
    down = down[np.lexsort((source[down], target[down]))]
    child, first = np.unique(target[down], return_index=True)
    parent = np.full(topology.chips, NONE, np.int32)
    parent_link = np.full(topology.chips, NONE, np.int32)
    parent[child] = source[down[first]]
    parent_link[child] = links[down[first]]
    depth = _depths(root, parent)
    for array in (parent, parent_link, depth):
        array.flags.writeable = False
    return SpanningTree(
        root=root,
        parent=parent,
        parent_link=parent_link,
        depth=depth,
        height=int(depth.max()),
    )


def alignment_tree(
    topology: Topology,
    machine: MachineSpec,
    root: int,
    outage: Outage = NO_OUTAGE,
) -> SpanningTree:
    """Return the tree that `machine` is aligned over, as ``hac.tree`` has it.

    Compiler and hardware both ask here: the guard band counts on the tree's height.
    ``least_error`` adds up the variance of the links' jitter, which is what readings of
    a parent's counter err by; it may take more hops than ``breadth_first``.
    """
    weight = None
    if machine.hac.tree == "least_error":
        weight = _jitter_variance(topology, machine)
    return spanning_tree(topology, root, weight=weight, outage=outage)


def _jitter_variance(topology: Topology, machine: MachineSpec) -> NDArray[np.int64]:
    """Return the variance of each directed link's jitter, whole and above 0."""
    rows = machine.link.jitter_rows
    cycles = np.array([deviation for _, deviation in rows]) * machine.link.jitter_cycles
    variance: NDArray[np.int64] = np.rint(cycles**2 * _PARTS).astype(np.int64) + 1
    each: NDArray[np.int64] = variance[measured_row(topology, len(rows))]
    return each


def _distances(
    chips: int,
    root: int,
    source: NDArray[np.int32],
    target: NDArray[np.int32],
    length: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the length of the shortest way from the root to each chip."""
    # A matrix has one place for parallel links, and adds up what is put there.
    lightest = np.lexsort((length, target, source))
    pair = source[lightest].astype(np.int64) * chips + target[lightest]
    kept = lightest[np.concatenate([[True], pair[1:] != pair[:-1]])[: len(pair)]]
    graph = coo_array(
        (length[kept], (source[kept], target[kept])), shape=(chips, chips)
    ).tocsr()
    distance: NDArray[np.float64] = dijkstra(graph, indices=np.array([root]))[0]
    return distance


def _depths(root: int, parent: NDArray[np.int32]) -> NDArray[np.int32]:
    depth = np.full(len(parent), NONE, np.int32)
    depth[root] = 0
    waiting = np.flatnonzero(parent != NONE)
    while len(waiting):
        above = depth[parent[waiting]]
        known = above != NONE
        depth[waiting[known]] = above[known] + 1
        waiting = waiting[~known]
    return depth
