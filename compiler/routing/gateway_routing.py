"""Gateway routing: minimal dragonfly routing with one link between racks.

A path leads within the node to the gateway of the next node, on to the node of the
rack's gateway, over its link, and likewise at the other end. It has at most seven
links, of which one leads from rack to rack. A path of fewer links may exist that uses
two links between racks.

References: J. Kim, W. J. Dally, S. Scott, D. Abts, "Technology-Driven, Highly-Scalable
Dragonfly Topology", ISCA 2008.
"""

import numpy as np
from numpy.typing import NDArray

from compiler.routing.gateways import Crossings, Gateways
from specs.arrays import Ints

_NO_LINK = -1


def gateway_paths(gateways: Gateways, source: Ints, target: Ints) -> NDArray[np.int32]:
    """Return the message routes from each source to its target over gateways.

    Parallel links between two groups are used round robin: by one source over its
    targets, and by one target over its sources.

    Parameters
    ----------
    gateways
        Links between chips of a node, nodes of a rack, and racks; all are linked.
    source, target
        Chips, shape ``(pairs,)``.

    Returns
    -------
    NDArray
        Directed links in order, -1 after the last, shape ``(pairs, longest path)``.
    """
    at = gateways
    leaves = at.rack[source] != at.rack[target]
    link = np.full(len(source), _NO_LINK, dtype=np.int64)
    link[leaves] = _rotated(at.between_racks, at.rack, source[leaves], target[leaves])
    out, into = source.copy(), source.copy()
    out[leaves] = at.source[link[leaves]]
    into[leaves] = at.target[link[leaves]]
    # Paths over the same two chips of a node use its parallel links round robin.
    rotation = source + target
    columns = [
        *_within_rack(at, source, out, rotation),
        link,
        *_within_rack(at, into, target, rotation),
    ]
    table = np.stack(columns, axis=1)
    # Links to the left, gaps to the right.
    order = np.argsort(table == _NO_LINK, axis=1, kind="stable")
    table = np.take_along_axis(table, order, axis=1)
    longest = max(1, int((table != _NO_LINK).sum(axis=1).max(initial=0)))
    return table[:, :longest].astype(np.int32)


def _within_rack(
    at: Gateways, source: Ints, target: Ints, rotation: Ints
) -> list[Ints]:
    """Return the links to the node's gateway, to the next node, and to the target."""
    leaves = at.node[source] != at.node[target]
    link = np.full(len(source), _NO_LINK, dtype=np.int64)
    link[leaves] = _rotated(at.between_nodes, at.node, source[leaves], target[leaves])
    out, into = source.copy(), source.copy()
    out[leaves] = at.source[link[leaves]]
    into[leaves] = at.target[link[leaves]]
    return [_local(at, source, out, rotation), link, _local(at, into, target, rotation)]


def _local(at: Gateways, source: Ints, target: Ints, rotation: Ints) -> Ints:
    """Return the link between two chips of a node, -1 where they are the same."""
    link = np.full(len(source), _NO_LINK, dtype=np.int64)
    moves = source != target
    link[moves] = at.local.pick(source[moves], target[moves], rotation[moves])
    return link


def _rotated(crossings: Crossings, group: Ints, source: Ints, target: Ints) -> Ints:
    """Return a link between the groups of each pair; parallel links alternate.

    If every chip of a group has the same number of parallel links, each chip uses its
    own, selected by the place of the target. Otherwise places ``a`` and ``b`` use
    number ``a * ceil(m / p) + floor(b * m / p)`` of the `m` links between groups of `p`
    chips: the targets of a source are spread over all links, and so are the sources of
    a target.
    """
    order = np.argsort(group, kind="stable")
    size = np.bincount(group)
    place = np.empty(len(group), dtype=np.int64)
    place[order] = np.arange(len(group)) - np.repeat(np.cumsum(size) - size, size)
    parallel = crossings.count(group[source], group[target])
    members = size[group[source]]
    each = -(-parallel // members)
    spaced = place[target] * parallel // members
    rotation = np.where(parallel % members == 0, place[target] % each, spaced)
    number = place[source] * each + rotation
    return crossings.pick(group[source], group[target], number)
