"""Fully connected nodes, and the 264-chip system: 33 nodes, a cable for each pair."""

from topologies.builders.global_link_arrangement import even_arrangement, group_cables
from topologies.builders.node import LOCAL_PORTS, local_cables, node_topology
from topologies.builders.rack import PORTS_LEAVING_NODE
from topologies.cables import CHIPS_PER_NODE, CableBundle, topology_from_cables
from topologies.topology import Level, Topology

NODES = 33
# Assumed: the 33 nodes stand in four neighbouring cabinets; no length is published.
NODE_PAIR_LENGTH_M = 5.0


def nodes33_topology() -> Topology:
    """Build 33 fully connected nodes: 264 chips, at most 3 hops, no free port.

    The nodes stand on a ring. The cable to the node `d` places further on it leaves
    from chip ``(d - 1) // 4``. Cables between nodes have level GLOBAL. The system
    counts as a single rack with one spare node in 33.

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
    """Build fully connected nodes, whose 32 outward ports are divided evenly.

    Parameters
    ----------
    nodes
        Number of nodes, 1 to 33.
    name
        Name of the topology; if empty, it states the number of nodes.
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
