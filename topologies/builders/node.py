"""Node topology: eight fully connected chips."""

import numpy as np

from topologies.cables import CHIPS_PER_NODE, CableBundle, topology_from_cables
from topologies.topology import Level, Topology

LOCAL_LENGTH_M = 0.75
LOCAL_PORTS = CHIPS_PER_NODE - 1
"""Number of ports that stay in the node, 0 to 6; ports 7 to 10 leave it."""


def local_cables(
    nodes: int, *, chips: int = CHIPS_PER_NODE, copies: int = 1
) -> CableBundle:
    """Build the cables inside `nodes` nodes, 28 in a node of eight chips.

    Chip `a` of a node reaches chip `b` by its port ``(b - a - 1) mod 8``: ports 0 to 6
    lead to chips ``a + 1``, ``a + 2``, ... of the node, modulo 8. Copies of a cable use
    consecutive ports.

    Parameters
    ----------
    nodes
        Number of nodes.
    chips
        Chips per node.
    copies
        Parallel cables per pair of chips.
    """
    pair, copy = np.divmod(np.arange(copies * chips * (chips - 1) // 2), copies)
    a, b = (ends[pair] for ends in np.triu_indices(chips, k=1))
    first_chip = chips * np.arange(nodes)[:, np.newaxis]
    return CableBundle(
        source=(first_chip + a).ravel(),
        source_port=np.tile((b - a - 1) % chips * copies + copy, nodes),
        target=(first_chip + b).ravel(),
        target_port=np.tile((a - b - 1) % chips * copies + copy, nodes),
        level=Level.LOCAL,
        length_m=LOCAL_LENGTH_M,
    )


def node_topology() -> Topology:
    """Build one node: 8 chips, 28 cables of 0.75 m, ports 7 to 10 of each chip free.

    References
    ----------
    .. [1] D. Abts et al., "A Software-defined Tensor Streaming Multiprocessor for
       Large-scale Machine Learning," ISCA 2022.

    Examples
    --------
    >>> node = node_topology()
    >>> node.chips, node.links
    (8, 28)
    """
    return topology_from_cables(
        "node",
        [local_cables(1)],
        chips=CHIPS_PER_NODE,
        chips_per_rack=CHIPS_PER_NODE,
        representatives=(0,),
    )
