"""Nodes all to all, and the 264-chip system: 33 nodes, one cable between each pair."""

from topologies.builders.global_link_arrangement import even_arrangement, group_cables
from topologies.builders.node import LOCAL_PORTS, local_cables, node_topology
from topologies.builders.rack import PORTS_LEAVING_NODE
from topologies.cables import CHIPS_PER_NODE, CableBundle, topology_from_cables
from topologies.topology import Level, Topology

NODES = 33
# Assumed: the 33 nodes stand in four neighbouring cabinets; no length is published.
NODE_PAIR_LENGTH_M = 5.0


def nodes33_topology() -> Topology:
    """Return 33 nodes all to all: 264 chips, at most 3 hops, no port free.

    The cable to the node `d` further round leaves from chip ``(d - 1) // 4``. The
    cables between nodes are of level GLOBAL; the system counts as a single rack, with
    one node in 33 to spare.

    References
    ----------
    .. [1] D. Abts et al., "A Software-defined Tensor Streaming Multiprocessor for
       Large-scale Machine Learning," ISCA 2022.

    Examples
    --------
    >>> system = nodes33_topology()
    >>> system.chips, system.links
    (264, 1452)
    """
    return node_system(NODES, "nodes33")


def node_system(nodes: int, name: str = "") -> Topology:
    """Return nodes all to all, their 32 outward ports shared out evenly.

    Parameters
    ----------
    nodes
        From 1 to 33.
    name
        What the system is called, by its number of nodes if empty.
    """
    if nodes == 1:
        return node_topology()
    ports = CHIPS_PER_NODE * PORTS_LEAVING_NODE
    cables = group_cables(even_arrangement(nodes, ports))
    between = CableBundle(
        source=CHIPS_PER_NODE * cables.source
        + cables.source_port // PORTS_LEAVING_NODE,
        source_port=LOCAL_PORTS + cables.source_port % PORTS_LEAVING_NODE,
        target=CHIPS_PER_NODE * cables.target
        + cables.target_port // PORTS_LEAVING_NODE,
        target_port=LOCAL_PORTS + cables.target_port % PORTS_LEAVING_NODE,
        level=Level.GLOBAL,
        length_m=NODE_PAIR_LENGTH_M,
    )
    chips = CHIPS_PER_NODE * nodes
    return topology_from_cables(
        name or f"{nodes} nodes",
        [local_cables(nodes), between],
        chips=chips,
        chips_per_rack=chips,
        representatives=tuple(range(CHIPS_PER_NODE)),
    )
