"""Rack topology: nine nodes, with two or four cables per pair of nodes."""

import numpy as np

from topologies.builders.global_link_arrangement import even_arrangement, group_cables
from topologies.builders.node import LOCAL_PORTS, local_cables
from topologies.cables import (
    CHIPS_PER_NODE,
    CHIPS_PER_RACK,
    NODES_PER_RACK,
    CableBundle,
    topology_from_cables,
)
from topologies.topology import Level, Topology

RACK_LENGTH_M = 2.0
PORTS_LEAVING_NODE = 4
"""Ports of a chip that leave its node; in a single rack all of them stay inside."""


def rack_cables(racks: int, ports_per_chip: int) -> CableBundle:
    """Build the cables between the nodes of `racks` racks.

    The nodes of a rack form a ring. Copy `c` of the cable to the node `d` places
    further on it leaves from chip ``(d - 1 + c) mod 8``, port ``7 + c``. So the copies
    of a node pair join different chips, and each chip's ports lead to different nodes.

    Parameters
    ----------
    racks
        Number of racks, each with 36 pairs of nodes.
    ports_per_chip
        Ports per chip that stay in the rack, which is also the number of cables per
        pair of nodes: 2 in a larger system, 4 in a single rack.
    """
    arrangement = even_arrangement(NODES_PER_RACK, CHIPS_PER_NODE * ports_per_chip)
    cables = group_cables(arrangement)
    slot = (arrangement.offset - 1 + arrangement.copy) % CHIPS_PER_NODE
    port = LOCAL_PORTS + arrangement.copy
    first_chip = CHIPS_PER_RACK * np.arange(racks)[:, np.newaxis]
    source = CHIPS_PER_NODE * cables.source + slot[cables.source_port]
    target = CHIPS_PER_NODE * cables.target + slot[cables.target_port]
    return CableBundle(
        source=(first_chip + source).ravel(),
        source_port=np.tile(port[cables.source_port], racks),
        target=(first_chip + target).ravel(),
        target_port=np.tile(port[cables.target_port], racks),
        level=Level.RACK,
        length_m=RACK_LENGTH_M,
    )


def rack_topology() -> Topology:
    """Build a single rack: 72 chips, 4 cables per pair of nodes, no free port.

    References
    ----------
    .. [1] D. Abts et al., "A Software-defined Tensor Streaming Multiprocessor for
       Large-scale Machine Learning," ISCA 2022.

    Examples
    --------
    >>> rack = rack_topology()
    >>> rack.chips, rack.links
    (72, 396)
    """
    return topology_from_cables(
        "rack",
        [local_cables(NODES_PER_RACK), rack_cables(1, PORTS_LEAVING_NODE)],
        chips=CHIPS_PER_RACK,
        chips_per_rack=CHIPS_PER_RACK,
        representatives=tuple(range(CHIPS_PER_NODE)),
    )
