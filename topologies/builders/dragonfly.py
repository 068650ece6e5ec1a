"""Dragonfly topology: racks of nine nodes, with a link for every pair of racks."""

import numpy as np

from specs.errors import TopologyError
from topologies.builders.global_link_arrangement import even_arrangement, group_cables
from topologies.builders.node import LOCAL_PORTS, local_cables
from topologies.builders.port_order import DEFAULT_ORDER, check_order, port_order
from topologies.builders.rack import rack_cables, rack_topology
from topologies.cables import (
    CHIPS_PER_RACK,
    NODES_PER_RACK,
    CableBundle,
    topology_from_cables,
)
from topologies.topology import Level, Topology

PORTS_IN_RACK = 2
PORTS_LEAVING_RACK = 2
OUTWARD_PORTS_PER_RACK = CHIPS_PER_RACK * PORTS_LEAVING_RACK
MOST_RACKS = OUTWARD_PORTS_PER_RACK + 1
# Assumed: active optical cables to a nearby rack; only "active optical" is published.
GLOBAL_LENGTH_M = 5.0


def dragonfly_topology(racks: int, order: str = DEFAULT_ORDER) -> Topology:
    """Build the dragonfly of `racks` racks of 72 chips, each pair of racks linked.

    Two cables join every pair of nodes of a rack. The 144 other ports of a rack are
    divided evenly among the other racks by
    :func:`~topologies.builders.global_link_arrangement.even_arrangement`. An order of
    :mod:`topologies.builders.port_order` assigns them to the chips of the rack. With
    ``racks = 1`` the outward ports stay inside the rack. In the notation of [1]_, with
    the rack as group: a = 72 routers, h = 2, g = `racks`; the chip is its own router,
    so p = 1.

    Parameters
    ----------
    racks
        Number of racks, 1 to 145.
    order
        Arrangement of the global links, such as ``"palmtree"``.

    Raises
    ------
    TopologyError
        If the order is unknown, or the number of racks is not 1 to 145: above 145
        some pair would have no link.

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
    check_order(order)
    if racks == 1:
        return rack_topology()
    arrangement = even_arrangement(racks, OUTWARD_PORTS_PER_RACK)
    ports = port_order(order, arrangement)
    cables = group_cables(arrangement)
    source_chip, source_port = np.divmod(
        ports.place[cables.source, cables.source_port], PORTS_LEAVING_RACK
    )
    target_chip, target_port = np.divmod(
        ports.place[cables.target, cables.target_port], PORTS_LEAVING_RACK
    )
    first_port = LOCAL_PORTS + PORTS_IN_RACK
    between = CableBundle(
        source=CHIPS_PER_RACK * cables.source + source_chip,
        source_port=first_port + source_port,
        target=CHIPS_PER_RACK * cables.target + target_chip,
        target_port=first_port + target_port,
        level=Level.GLOBAL,
        length_m=GLOBAL_LENGTH_M,
    )
    return topology_from_cables(
        "dragonfly" if order == DEFAULT_ORDER else f"dragonfly:{order}",
        [
            local_cables(racks * NODES_PER_RACK),
            rack_cables(racks, PORTS_IN_RACK),
            between,
        ],
        chips=racks * CHIPS_PER_RACK,
        chips_per_rack=CHIPS_PER_RACK,
        representatives=tuple(range(CHIPS_PER_RACK))
        if ports.same_in_all_racks
        else None,
    )
