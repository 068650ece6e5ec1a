"""Hierarchical algorithms: between chips of a node, nodes of a rack, and racks.

Every message crosses one link, so there are no relay hops. Partial sums are merged
wherever they meet, and cross the scarcer links once. An all-reduce has two forms:

* *whole*: every chip has the sum of its node, then of its rack, then of all. It has few
  phases and suits small tensors.
* *split*: every share of the tensor is reduced at one owner, and its sum is sent to
  all. It has more phases and the least traffic.
"""

import numpy as np

from compiler.collectives.flat_algorithms import shares, slice_edges
from compiler.collectives.phases import Phase, Sums, phase
from compiler.collectives.pieces import PiecesOf, each_message, ranges
from compiler.collectives.reduce_to_owners import to_owners
from compiler.routing.gateway_routing import gateway_paths
from compiler.routing.gateways import Crossings, Gateways
from specs.arrays import Ints
from topologies.topology import Topology
from workloads.collective import Collective

# Parts of a broadcast: as many as may use a link of their own.
_BROADCAST_PARTS = 8


def hierarchical_forms(
    topology: Topology,
    kind: Collective,
    chips: Ints,
    vectors: int,
    *,
    stripes: int = 1,
) -> dict[str, list[Phase]]:
    """Return the phases of each form of a hierarchical collective algorithm, by name.

    Parameters
    ----------
    topology
        Positions of the chips.
    kind
        Collective.
    chips
        Members in order, shape ``(members,)``; the first is the root of a broadcast.
    vectors
        Vectors of the tensor.
    stripes
        Shares of each owner, so that all parallel cables between two chips are used.

    Returns
    -------
    dict
        Empty if chips of a node, nodes of a rack or racks are not all linked within
        the members.
    """
    gateways = Gateways(topology, chips)
    if kind is Collective.POINT_TO_POINT or not gateways.complete:
        return {}
    if kind is Collective.BROADCAST:
        size = shares(vectors, min(vectors, _BROADCAST_PARTS))
        return {"by links": _reversed(to_owners(gateways, 0 * size + chips[0], size))}
    if kind is Collective.ALL_REDUCE:
        size = shares(vectors, min(vectors, stripes * len(chips)))
        owners = chips[np.arange(len(size)) * len(chips) // len(size)]
        reduced = to_owners(gateways, owners, size)
        return {
            "whole": _whole(gateways, vectors),
            "split": reduced + _reversed(reduced),
        }
    size = shares(vectors, len(chips))
    merges = kind is not Collective.ALL_TO_ALL
    end = np.arange(1, stripes + 1)
    part = end * size[:, None] // stripes - (end - 1) * size[:, None] // stripes
    owners = np.repeat(chips, stripes)
    reduced = to_owners(gateways, owners, part.ravel(), merges=merges, members=chips)
    if kind is Collective.ALL_TO_ALL:
        return {"bundled": reduced, "cut-through": _cut_through(gateways, chips, size)}
    return {
        "by links": _reversed(reduced) if kind is Collective.ALL_GATHER else reduced
    }


def _cut_through(gateways: Gateways, chips: Ints, size: Ints) -> list[Phase]:
    """Return the phase of an all-to-all in which gateways relay messages.

    A chip sends to the same slot of all nodes before the next slot. It begins with the
    slot and the node after its own, so that not all chips use one gateway at once.
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
    edges = slice_edges(size)
    slices = each_message(edges[b[order]], edges[b[order] + 1], a[order])
    return phase(source, target, vectors, path=paths, pieces=slices)


def _reversed(phases: list[Phase]) -> list[Phase]:
    """Return the phases run backwards: an all-gather for a reduce-scatter."""
    return [made.turned() for made in reversed(phases)]


def _whole(gateways: Gateways, vectors: int) -> list[Phase]:
    """Return the phases of an all-reduce in which every chip sends whole sums.

    Chips of a node exchange their tensors; then all have the sum of the node. Each
    sends it over its links to other nodes, and the node adds the sums that arrive in
    the same way, with its own; then all have the sum of the rack. Racks exchange their
    sums as nodes do.
    """
    everything = np.full(len(gateways.node), vectors, dtype=np.int64)
    in_node = _within_node(gateways, everything, vectors, Sums())
    rack_link, rack_held = _between_groups(gateways.between_nodes, gateways, vectors)
    across, across_held = _between_groups(gateways.between_racks, gateways, vectors)

    def within_rack(link: Sums, node: Sums) -> list[Phase]:
        crossed = [made._replace(sums=link) for made in rack_link]
        return crossed + _within_node(gateways, rack_held, vectors, node)

    # What arrives from other nodes or racks is sent on without a node's own sum.
    phases = in_node + within_rack(Sums(0, 1, ()), Sums(1, 0, (0, 1)))
    if across:
        phases += [made._replace(sums=Sums(0, 1, ())) for made in across]
        phases += _within_node(gateways, across_held, vectors, Sums(1, 1, (1,)))
        phases += within_rack(Sums(1, 2, ()), Sums(2, 0, (0, 1, 2)))
    return phases


def _within_node(
    gateways: Gateways, held: Ints, vectors: int, sums: Sums
) -> list[Phase]:
    """Return the phase in which chips send their data to all others of their node."""
    local = gateways.local
    source = gateways.source[local.links]
    target = gateways.target[local.links]
    sent = local.shared(held[source])
    end = local.ends(held[source])
    made = phase(
        source,
        target,
        sent,
        path=local.links[:, None],
        adds=True,
        pieces=_shared(vectors, end - sent, end),
        sums=sums,
    )
    # Members may bring different columns; together they bring all.
    every = np.full(len(held), vectors, dtype=np.int64)
    return [each._replace(summed=every) for each in made]


def _shared(vectors: int, begin: Ints, end: Ints) -> PiecesOf:
    """Return what returns a range of all that the source of each message has."""
    every = np.arange(len(begin))
    return lambda: ranges(every, 0, vectors)._replace(begin=begin, end=end)


def _between_groups(
    crossings: Crossings, gateways: Gateways, vectors: int
) -> tuple[list[Phase], Ints]:
    """Return the phase over all links between groups, and the vectors chips then hold.

    Parallel links share the tensor. A chip counts each part of the tensor once, however
    often it has received it.
    """
    link, count = crossings.links, crossings.parallel
    begin = crossings.place * vectors // np.maximum(count, 1)
    end = (crossings.place + 1) * vectors // np.maximum(count, 1)
    target = gateways.target[link]
    source = gateways.source[link]
    carried = each_message(begin, end)
    made = phase(
        source, target, end - begin, path=link[:, None], adds=True, pieces=carried
    )
    parts = np.unique(np.stack([target, begin, end]), axis=1)
    held = np.bincount(
        parts[0], weights=parts[2] - parts[1], minlength=len(gateways.node)
    ).astype(np.int64)
    # Parts of different sizes overlap; together they are at most the tensor.
    held = np.minimum(held, vectors)
    received = np.bincount(target, weights=end - begin, minlength=len(held))
    # A column that is added has come twice.
    summed = np.minimum(held, received.astype(np.int64) // 2)
    return [each._replace(summed=summed) for each in made], held
