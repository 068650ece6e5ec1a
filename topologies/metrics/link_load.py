"""What uniform traffic puts on every link, and so how much of it a wiring carries.

Every working chip sends equally much to every other. On minimal paths, all those of a
pair used alike, the busiest link decides; a bound that holds for any paths follows from
the hops alone.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from topologies.routing.breadth_first import UNREACHABLE
from topologies.topology import Level, Topology

# Chips times sources searched together, and links looked at together: what is at hand
# stays in the cache. Path counts stay far below 2^24, so 32 bits hold them exactly.
_BLOCK_CELLS = 2**20
_CHUNK_LINKS = 2**13


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class UniformTraffic:
    """How much each working chip can send, in the payload of one link.

    Attributes
    ----------
    mean_hops
        Mean hop count over ordered pairs of different working chips.
    bound_links
        No routing carries more: all links full, no hop more than needed.
    level_links
        The same for the links of each level, on minimal paths: with less on the
        busiest ones there is no more to be had than the least of these.
    minimal_links
        What minimal paths carry when the busiest link is full.
    """

    mean_hops: float
    bound_links: float
    level_links: dict[str, float]
    minimal_links: float


def uniform_traffic(topology: Topology) -> UniformTraffic:
    """Return what each working chip can send under uniform traffic.

    Examples
    --------
    In a node a chip sends a seventh of its traffic over each of its seven links:

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
    # The loads add up to hops, a whole number but for the rounding of shares.
    hops = round(float(loads.sum()))
    return UniformTraffic(
        mean_hops=hops / (topology.active_chips * others) if others else 0.0,
        bound_links=others * len(loads) / hops if others else 0.0,
        level_links=by_level,
        minimal_links=others / float(loads.max()) if others else 0.0,
    )


def minimal_loads(topology: Topology) -> NDArray[np.float64]:
    """Return the paths over each directed link, one for each pair of working chips.

    Where a pair has several minimal paths, each counts as its share. This is the edge
    betweenness of [1]_, found for many sources at once: path counts on the way out,
    shares on the way back, one sparse product per hop.

    Returns
    -------
    NDArray
        Shape ``(2 * links,)``; its sum is the sum of hops over ordered pairs.

    References
    ----------
    .. [1] U. Brandes, "A Faster Algorithm for Betweenness Centrality," Journal of
       Mathematical Sociology 25 (2), 2001.
    """
    representatives = topology.representatives
    if representatives is None or topology.active_chips < topology.chips:
        return _loads(topology, topology.active)
    # What the representatives put on links that are alike, all sources together put
    # on each of them.
    kind = (topology.source % len(representatives)).astype(np.int64)
    kind = kind * topology.ports_per_chip + topology.source_port
    of_kind = np.zeros(int(kind.max()) + 1)
    np.add.at(of_kind, kind, _loads(topology, np.array(representatives)))
    alike = topology.chips // len(representatives)
    assert (np.bincount(kind)[kind] == alike).all(), "links alike are equally many"
    return of_kind[kind]


def _loads(topology: Topology, sources: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the load of each link from `sources` to every working chip."""
    ends = np.zeros((topology.chips, 1), np.float32)
    ends[topology.active] = 1
    loads = np.zeros(len(topology.source))
    size = max(1, _BLOCK_CELLS // topology.chips)
    for first in range(0, len(sources), size):
        loads += _block_loads(topology, sources[first : first + size], ends)
    return loads


def _block_loads(
    topology: Topology, sources: NDArray[np.integer], ends: NDArray[np.float32]
) -> NDArray[np.float64]:
    cables = topology.adjacency()
    # Chips are marked with their hops on the way, as in `hop_counts`.
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
    # Of what ends at a chip or goes on from it, the share of each path to it.
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
