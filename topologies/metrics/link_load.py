"""Link load and throughput of a topology under uniform traffic.

Every working chip sends the same amount to every other working chip. A pair divides its
traffic evenly among all its minimal paths, and the busiest link limits the throughput.
The mean hop count alone gives an upper bound for any routing.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from specs.arrays import Floats
from topologies.routing.breadth_first import UNREACHABLE
from topologies.topology import Level, Topology

# Chips times sources of one search, and links of one sum: both working sets stay in the
# cache. Path counts stay far below 2^24, so 32-bit floats hold them exactly.
_BLOCK_CELLS = 2**20
_CHUNK_LINKS = 2**13


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class UniformTraffic:
    """Throughput per working chip under uniform traffic, in payloads of one link.

    Attributes
    ----------
    mean_hops
        Mean hop count over ordered pairs of different working chips.
    bound_links
        Upper bound for any routing: all links full, on minimal paths.
    level_links
        Bound by the links of each level, on minimal paths and with an even load
        within the level; the least of them bounds `minimal_links`.
    minimal_links
        Throughput of minimal paths when the busiest link is full.
    """

    mean_hops: float
    bound_links: float
    level_links: dict[str, float]
    minimal_links: float


def uniform_traffic(topology: Topology) -> UniformTraffic:
    """Return the topology metric of throughput per working chip under uniform traffic.

    Examples
    --------
    In a node, each of a chip's seven links carries a seventh of its traffic:

    >>> from topologies.builders.node import node_topology
    >>> uniform_traffic(node_topology()).minimal_links
    7.0
    """
    loads = minimal_loads(topology)
    others = topology.active_chips - 1
    by_level = {
        level.label: others / float(loads[topology.level == level].mean())
        for level in Level
        if loads[topology.level == level].any()
    }
    # The loads sum to the hops of all pairs, an integer but for rounded shares.
    hops = round(float(loads.sum()))
    return UniformTraffic(
        mean_hops=hops / (topology.active_chips * others) if others else 0.0,
        bound_links=others * len(loads) / hops if others else 0.0,
        level_links=by_level,
        minimal_links=others / float(loads.max()) if others else 0.0,
    )


def minimal_loads(topology: Topology) -> Floats:
    """Return the link-load metric: paths over each directed link, one path per pair.

    The pairs are the ordered pairs of different working chips. If a pair has several
    minimal paths, each counts by its share. This is the edge betweenness of [1]_,
    computed for many sources at once: the forward pass counts paths, the backward pass
    sums shares, with one sparse product per hop.

    Returns
    -------
    Floats
        Shape ``(2 * links,)``; its sum is the sum of hops over ordered pairs.

    References
    ----------
    .. [1] U. Brandes, "A Faster Algorithm for Betweenness Centrality," Journal of
       Mathematical Sociology 25 (2), 2001.
    """
    representatives = topology.representatives
    if representatives is None or topology.active_chips < topology.chips:
        return _loads(topology, topology.active)
    # A symmetry maps links of one kind onto each other. The load of all sources on each
    # of them is the load of the representatives on all of them together.
    kind = (topology.source % len(representatives)).astype(np.int64)
    kind = kind * topology.ports_per_chip + topology.source_port
    of_kind = np.zeros(int(kind.max()) + 1)
    np.add.at(of_kind, kind, _loads(topology, np.array(representatives)))
    images = topology.chips // len(representatives)
    assert (np.bincount(kind)[kind] == images).all(), "links alike are equally many"
    return of_kind[kind]


def _loads(topology: Topology, sources: NDArray[np.integer]) -> Floats:
    """Return the link-load metric of traffic from `sources` to working chips."""
    ends = np.zeros((topology.chips, 1), np.float32)
    ends[topology.active] = 1
    loads = np.zeros(len(topology.source))
    size = max(1, _BLOCK_CELLS // topology.chips)
    for first in range(0, len(sources), size):
        loads += _block_loads(topology, sources[first : first + size], ends)
    return loads


def _block_loads(
    topology: Topology, sources: NDArray[np.integer], ends: NDArray[np.float32]
) -> Floats:
    """Return the link-load metric of a block of sources, searched together."""
    cables = topology.adjacency().matrix()
    # The forward pass records hop counts, as `hop_counts` does.
    hops = np.full((topology.chips, len(sources)), UNREACHABLE, np.int16)
    hops[sources, np.arange(len(sources))] = 0
    paths = (hops == 0).astype(np.float32)
    frontier, farthest = paths, 0
    while True:
        frontier = np.where(hops == UNREACHABLE, cables @ frontier, 0)
        if not frontier.any():
            break
        farthest += 1
        hops[frontier > 0] = farthest
        paths = paths + frontier
    # Traffic that ends at a chip or leaves it, per path from the source to the chip.
    share = ends / paths
    for hop in range(farthest, 0, -1):
        back = cables @ np.where(hops == hop, share, 0)
        share += np.where(hops == hop - 1, back, 0)
    loads = np.zeros(len(topology.source))
    for first in range(0, len(loads), _CHUNK_LINKS):
        links = slice(first, first + _CHUNK_LINKS)
        source, target = topology.source[links], topology.target[links]
        forward = hops[target] == hops[source] + 1
        loads[links] = (paths[source] * share[target] * forward).sum(axis=1)
    return loads
