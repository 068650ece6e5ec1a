"""The dragonfly: racks of nine nodes, every pair of racks linked."""

import numpy as np
from numpy.typing import NDArray

from specs.errors import TopologyError
from topologies.arrangement import even_arrangement, group_cables
from topologies.cables import (
    CHIPS_PER_NODE,
    CHIPS_PER_RACK,
    NODES_PER_RACK,
    CableBundle,
    lay,
)
from topologies.node import LOCAL_PORTS, local_cables
from topologies.rack import rack_cables, rack_topology
from topologies.topology import Level, Topology

PORTS_IN_RACK = 2
PORTS_LEAVING_RACK = 2
OUTWARD_PORTS_PER_RACK = CHIPS_PER_RACK * PORTS_LEAVING_RACK
MOST_RACKS = OUTWARD_PORTS_PER_RACK + 1
# Assumed: active optical cables to a rack nearby; only "active optical" is published.
GLOBAL_LENGTH_M = 5.0

# Chips of a rack plus one; being prime, it has primitive roots, whose powers run
# through all chips.
_PRIME = CHIPS_PER_RACK + 1
# One pair (root, first exponent) for each of a chip's two outward ports. Of all pairs
# of primitive roots and shifts searched, the one that gives 145 racks 6 hops at most
# (a linear order gives 7) and puts consecutive ports on different nodes.
_POWERS = ((31, 0), (33, 61))


def outward_chips() -> NDArray[np.int64]:
    """Return the chip of the rack that holds each outward port, shape (144,).

    The first 72 ports are port 9 of each chip, the others port 10. Their order over
    the chips follows the powers of a primitive root, as in a Welch-Costas array [1]_:
    unlike in a linear order, sums of two offsets seldom lead to the same place, so
    paths over two global links reach more chips. For 145 racks the mean is 4.88 hops
    instead of 5.19.

    References
    ----------
    .. [1] S. W. Golomb and H. Taylor, "Constructions and Properties of Costas
       Arrays," Proceedings of the IEEE 72 (9), 1984.
    """
    place: NDArray[np.int64] = np.array(
        [
            pow(root, first + step, _PRIME) - 1
            for root, first in _POWERS
            for step in range(CHIPS_PER_RACK)
        ]
    )
    return CHIPS_PER_NODE * (place % NODES_PER_RACK) + place // NODES_PER_RACK


def dragonfly_topology(racks: int) -> Topology:
    """Return `racks` racks of 72 chips, wired alike and each pair linked.

    In a rack every pair of nodes is doubly linked; the 144 ports left are shared out
    evenly among the other racks, by :func:`~topologies.arrangement.even_arrangement`.
    One rack is a rack on its own, whose outward ports stay inside. In the letters of
    [1]_ with the rack as group: a = 72 routers, h = 2, g = `racks`; the chip is its own
    router, so p = 1.

    Parameters
    ----------
    racks
        Number of racks, 1 to 145.

    Raises
    ------
    TopologyError
        If there is no such number of racks; above 145 some pair would have no link.

    References
    ----------
    .. [1] J. Kim, W. J. Dally, S. Scott and D. Abts, "Technology-Driven,
       Highly-Scalable Dragonfly Topology," ISCA 2008.
    .. [2] D. Abts et al., "A Software-defined Tensor Streaming Multiprocessor for
       Large-scale Machine Learning," ISCA 2022.

    Examples
    --------
    >>> largest = dragonfly_topology(racks=145)
    >>> largest.chips, largest.links
    (10440, 57420)
    """
    if racks < 1:
        raise TopologyError(f"a dragonfly needs at least 1 rack, got {racks}")
    if racks > MOST_RACKS:
        raise TopologyError(
            f"{racks} racks cannot be fully connected: {OUTWARD_PORTS_PER_RACK} "
            f"outward ports reach {MOST_RACKS} racks at most"
        )
    if racks == 1:
        return rack_topology()
    cables = group_cables(even_arrangement(racks, OUTWARD_PORTS_PER_RACK))
    chip = outward_chips()
    first_port = LOCAL_PORTS + PORTS_IN_RACK
    between = CableBundle(
        source=CHIPS_PER_RACK * cables.source + chip[cables.source_port],
        source_port=first_port + cables.source_port // CHIPS_PER_RACK,
        target=CHIPS_PER_RACK * cables.target + chip[cables.target_port],
        target_port=first_port + cables.target_port // CHIPS_PER_RACK,
        level=Level.GLOBAL,
        length_m=GLOBAL_LENGTH_M,
    )
    return lay(
        "dragonfly",
        [
            local_cables(racks * NODES_PER_RACK),
            rack_cables(racks, PORTS_IN_RACK),
            between,
        ],
        chips=racks * CHIPS_PER_RACK,
        chips_per_rack=CHIPS_PER_RACK,
        representatives=tuple(range(CHIPS_PER_RACK)),
    )
