"""Farthest pair of chips of a topology, between which latency is greatest."""

import numpy as np

from specs.arrays import Ints
from topologies.routing.breadth_first import hop_counts
from topologies.routing.minimal_paths import minimal_paths
from topologies.topology import Topology


def farthest_pair(topology: Topology) -> Ints:
    """Return the distance metric's extreme: the two chips on the longest path.

    It has the most hops, and of such pairs the longest cables. Of chips that
    symmetry makes equivalent one is evaluated.
    """
    sources = list(topology.representatives or range(topology.chips))
    hops = hop_counts(topology.adjacency(), sources)
    target, source = np.nonzero(hops == hops.max())
    source = np.array(sources, dtype=np.int64)[source]
    paths = minimal_paths(topology, source, target.astype(np.int64))
    length_m = np.where(paths >= 0, topology.length_m[paths], 0.0).sum(axis=1)
    row = int(length_m.argmax())
    return np.array([source[row], target[row]], dtype=np.int64)
