"""Spanning tree for clock alignment and start propagation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specs.arrays import Floats, Ints
from specs.errors import TopologyError
from specs.machine import MachineSpec
from topologies.link_samples import measured_row
from topologies.outage import NO_OUTAGE, Outage
from topologies.topology import Topology

NONE = -1
"""Parent and parent link of the root and of chips outside the tree."""

# Variances become whole numbers of this fraction of a squared cycle, so that sums are
# exact and equal sums compare equal.
_PARTS = 10**6


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class SpanningTree:
    """Spanning tree of the chips that links connect to its root.

    Parameters
    ----------
    root
        Chip without a parent.
    parent
        Parent of each chip, -1 for the root and for chips outside the tree, shape
        ``(chips,)``.
    parent_link
        Directed link from the parent to each chip, -1 where `parent` is, shape
        ``(chips,)``.
    depth
        Links from the root to each chip, -1 outside the tree, shape ``(chips,)``.
    height
        Largest depth.
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
    weight: Ints | None = None,
    outage: Outage = NO_OUTAGE,
) -> SpanningTree:
    """Return the spanning tree of the shortest routes from `root`.

    The parent of a chip is its lowest-numbered neighbour on a shortest path, and the
    parent link the lowest-numbered link of such a path. So the tree depends only on the
    links and their weights. Of parallel cables the one of least weight is used.

    Parameters
    ----------
    topology
        Chips and links.
    root
        Chip without a parent.
    weight
        Length of each directed link, whole numbers above 0, shape
        ``(directed links,)``. Without it the length of a path is its number of hops,
        and the tree is breadth-first.
    outage
        Chips and links that the tree must not use.

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
    # Whole numbers, so equality is exact; unreachable chips are at infinity.
    on_shortest_path = (distance[source] + length == distance[target]) & np.isfinite(
        distance[source]
    )
    down = np.flatnonzero(on_shortest_path)
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
    """Return the spanning tree of routes from a root along which counters are aligned.

    Compiler and hardware both use this function, since the guard band depends on the
    tree's height. The setting ``hac.tree`` selects ``breadth_first`` or
    ``least_error``. The latter minimises the sum of the variances of the links' jitter,
    which is the error variance of a reading of the parent's counter. It may take more
    hops.

    Parameters
    ----------
    topology
        Chips and links.
    machine
        Source of the setting and of the jitter.
    root
        Chip without a parent.
    outage
        Chips and links that the tree must not use.
    """
    weight = None
    if machine.hac.tree == "least_error":
        weight = _jitter_variance(topology, machine)
    return spanning_tree(topology, root, weight=weight, outage=outage)


def _jitter_variance(topology: Topology, machine: MachineSpec) -> Ints:
    """Return the variance of the jitter of each directed link of a route."""
    rows = machine.link.jitter_rows
    cycles = np.array([deviation for _, deviation in rows]) * machine.link.jitter_cycles
    variance: Ints = np.rint(cycles**2 * _PARTS).astype(np.int64) + 1
    each: Ints = variance[measured_row(topology, len(rows))]
    return each


def _distances(
    chips: int,
    root: int,
    source: NDArray[np.int32],
    target: NDArray[np.int32],
    length: Floats,
) -> Floats:
    """Return the length of the shortest route from the root to each chip."""
    # Each round goes on from the chips to which the one before found a shorter route.
    order = np.argsort(source, kind="stable")
    starts = np.searchsorted(source[order], np.arange(chips + 1))
    distance = np.full(chips, np.inf)
    distance[root] = 0
    nearer = np.array([root])
    while len(nearer):
        first, count = starts[nearer], starts[nearer + 1] - starts[nearer]
        skipped = np.cumsum(count) - count
        link = order[np.arange(count.sum()) + np.repeat(first - skipped, count)]
        before = distance[target[link]]
        np.minimum.at(distance, target[link], distance[source[link]] + length[link])
        nearer = np.unique(target[link][distance[target[link]] < before])
    return distance


def _depths(root: int, parent: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the links of the route from the root to each chip, -1 if there is none."""
    depth = np.full(len(parent), NONE, np.int32)
    depth[root] = 0
    waiting = np.flatnonzero(parent != NONE)
    while len(waiting):
        above = depth[parent[waiting]]
        known = above != NONE
        depth[waiting[known]] = above[known] + 1
        waiting = waiting[~known]
    return depth
