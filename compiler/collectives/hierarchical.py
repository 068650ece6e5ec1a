"""Hierarchical collectives: between chips of a node, nodes of a rack, and racks.

Every hop is one link long, so no chip forwards: partial sums are merged wherever they
meet, and what crosses the scarcer links crosses them once. Two forms of all-reduce are
built. In the *whole* form every chip soon has the sum of its node, then of its rack,
then of all: few stages, for small tensors. In the *split* form every share of the
tensor travels to one owner and its sum back to all: more stages and the least traffic.
"""

import numpy as np

from compiler.collectives.flat_algorithms import shares
from compiler.collectives.reduce_to_owners import to_owners
from compiler.collectives.stages import Collective, CollectiveStage, stage
from compiler.routing.gateway_routing import gateway_paths
from compiler.routing.gateways import Crossings, Gateways
from specs.arrays import Ints
from topologies.topology import Topology

# Parts in which a broadcast goes: as many as may find a link of their own.
_BROADCAST_PARTS = 8


def hierarchical_forms(
    topology: Topology,
    kind: Collective,
    chips: Ints,
    vectors: int,
    *,
    stripes: int = 1,
) -> dict[str, list[CollectiveStage]]:
    """Return the stages of each form of a hierarchical collective that applies.

    Parameters
    ----------
    topology
        Where the chips are.
    kind
        What is done.
    chips
        Members in order, shape ``(members,)``; the first is the root of a broadcast.
    vectors
        Vectors of the tensor.
    stripes
        Shares of each owner, so that parallel cables between two chips take turns.

    Returns
    -------
    dict
        Nothing if chips of a node, nodes of a rack or racks are not all linked within
        the members.
    """
    gateways = Gateways(topology, chips)
    if kind is Collective.POINT_TO_POINT or not gateways.complete:
        return {}
    if kind is Collective.BROADCAST:
        size = shares(vectors, min(vectors, _BROADCAST_PARTS))
        return {"": _back(to_owners(gateways, 0 * size + chips[0], size))}
    if kind is Collective.ALL_REDUCE:
        size = shares(vectors, min(vectors, stripes * len(chips)))
        owners = chips[np.arange(len(size)) * len(chips) // len(size)]
        reduced = to_owners(gateways, owners, size)
        return {
            "whole": _whole_stages(gateways, vectors),
            "split": reduced + _back(reduced),
        }
    size = shares(vectors, len(chips))
    merges = kind is not Collective.ALL_TO_ALL
    end = np.arange(1, stripes + 1)
    part = end * size[:, None] // stripes - (end - 1) * size[:, None] // stripes
    owners = np.repeat(chips, stripes)
    reduced = to_owners(gateways, owners, part.ravel(), merges=merges)
    if kind is Collective.ALL_TO_ALL:
        return {"bundled": reduced, "cut-through": _cut_through(gateways, chips, size)}
    return {"": _back(reduced) if kind is Collective.ALL_GATHER else reduced}


def _cut_through(gateways: Gateways, chips: Ints, size: Ints) -> list[CollectiveStage]:
    """Return the stage of an all-to-all in which gateways forward what comes.

    A chip sends to the same slot of all nodes before the next slot, and begins with the
    slot and the node after its own, so that no gateway is asked by all at once.
    """
    members = len(chips)
    a, b = np.divmod(np.arange(members**2), members)
    a, b = a[a != b], b[a != b]
    source, target = chips[a], chips[b]
    nodes = int(gateways.node.max()) + 1
    node_turn = (gateways.node[target] - gateways.node[source]) % nodes
    slots = int(gateways.slot.max()) + 1
    slot_turn = (gateways.slot[target] - gateways.slot[source]) % slots
    order = np.lexsort((a, node_turn, slot_turn))
    source, target, vectors = source[order], target[order], size[b[order]]
    paths = gateway_paths(gateways, source, target).astype(np.int64)
    return [CollectiveStage("direct", source, target, vectors, paths, False)]


def _back(stages: list[CollectiveStage]) -> list[CollectiveStage]:
    return [made.reversed() for made in reversed(stages)]


def _whole_stages(gateways: Gateways, vectors: int) -> list[CollectiveStage]:
    """Return the stages of an all-reduce in which every chip sends whole sums.

    Chips of a node exchange what they have; then all have the sum of the node. Each
    sends it over its links to other nodes, and what has come is summed up in the node
    in the same way, together with the node's own; then all have the sum of the rack.
    Racks are to racks as nodes to nodes.
    """
    everything = np.full(len(gateways.node), vectors, dtype=np.int64)
    in_node = _among_mates(gateways, everything)
    rack_link, rack_held = _over(gateways.between_nodes, gateways, vectors, "rack")
    across, across_held = _over(gateways.between_racks, gateways, vectors, "global")
    within_rack = rack_link + _among_mates(gateways, rack_held)
    stages = in_node + within_rack
    if across:
        stages += across + _among_mates(gateways, across_held) + within_rack
    return stages


def _among_mates(gateways: Gateways, held: Ints) -> list[CollectiveStage]:
    """Return the stage in which chips send what they hold to all of their node."""
    link = gateways.local.links
    source = gateways.source[link]
    target = gateways.target[link]
    sent = gateways.local.shared(held[source])
    return stage("node", source, target, sent, link=link, reduces=True)


def _over(
    crossings: Crossings, gateways: Gateways, vectors: int, dimension: str
) -> tuple[list[CollectiveStage], Ints]:
    """Return the stage over all links between groups, and what each chip holds then.

    Parallel links share the tensor. A chip holds each part of the tensor once, however
    often it has received it.
    """
    link, count = crossings.links, crossings.parallel
    begin = crossings.place * vectors // np.maximum(count, 1)
    end = (crossings.place + 1) * vectors // np.maximum(count, 1)
    target = gateways.target[link]
    made = stage(
        dimension,
        gateways.source[link],
        target,
        end - begin,
        link=link,
        reduces=True,
    )
    parts = np.unique(np.stack([target, begin, end]), axis=1)
    held = np.bincount(
        parts[0], weights=parts[2] - parts[1], minlength=len(gateways.node)
    ).astype(np.int64)
    # Parts of unlike sizes overlap, and together are no more than the tensor.
    return made, np.minimum(held, vectors)
