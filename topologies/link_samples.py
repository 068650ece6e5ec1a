"""Which of the measured links a cable is taken to be like."""

import numpy as np
from numpy.typing import NDArray

from topologies.topology import Topology


def measured_row(topology: Topology, rows: int) -> NDArray[np.int64]:
    """Return the row of the table of measured links that each directed link follows.

    Published are the seven links of one chip in its node (isca22 table 2). A cable
    follows the row of its port number, modulo `rows`, at the end where its even
    directed link starts; both directions of a cable share the row. So the seven cables
    of chip 0 in its node are the seven rows, in order, and every chip has several.

    Parameters
    ----------
    topology
        The wiring.
    rows
        Rows of the table.

    Examples
    --------
    >>> from topologies.builders.node import node_topology
    >>> node = node_topology()
    >>> measured_row(node, 7)[list(node.out_links(0))].tolist()
    [0, 1, 2, 3, 4, 5, 6]
    """
    return np.repeat(topology.source_port[::2].astype(np.int64) % rows, 2)
