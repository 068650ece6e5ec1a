"""Assignment of measured link samples to the cables of a topology."""

import numpy as np

from specs.arrays import Ints
from topologies.topology import Topology


def measured_row(topology: Topology, rows: int) -> Ints:
    """Return the row of the table of measured links for each link of a topology.

    The seven links of one chip in its node are published (isca22 table 2). The row of a
    cable is its port number, modulo `rows`, at the source of its even directed link.
    Both directions of a cable share the row. So the seven cables of chip 0 in its node
    are the seven rows in order, and every chip has links of several rows.

    Parameters
    ----------
    topology
        Chips and links.
    rows
        Number of rows of the table.

    Returns
    -------
    Ints
        Row numbers, shape ``(2 * links,)``.

    Examples
    --------
    >>> from topologies.builders.node import node_topology
    >>> node = node_topology()
    >>> measured_row(node, 7)[list(node.out_links(0))].tolist()
    [0, 1, 2, 3, 4, 5, 6]
    """
    return np.repeat(topology.source_port[::2].astype(np.int64) % rows, 2)
