"""Machines that keep nodes idle, one or more a rack, to stand in for a bad one."""

from dataclasses import replace

import numpy as np

from specs.errors import TopologyError
from topologies.cables import CHIPS_PER_NODE, CHIPS_PER_RACK
from topologies.selection import select_topology
from topologies.topology import Topology

_NODES_PER_RACK = CHIPS_PER_RACK // CHIPS_PER_NODE


def select_with_spares(
    chips: int, topology: str = "auto", *, spare_nodes: int = 0
) -> Topology:
    """Return a topology with `chips` active chips beside the spare nodes of each rack.

    Parameters
    ----------
    chips
        Chips the workload uses.
    topology
        As in `select_topology`.
    spare_nodes
        Nodes of each rack that stay idle, the last ones.

    Raises
    ------
    TopologyError
        If the wiring does not hold the chips and the spares.

    Examples
    --------
    With one spare node a rack has 64 active chips, so 576 chips take nine racks:

    >>> select_with_spares(576, spare_nodes=1).chips
    648
    """
    if not spare_nodes:
        return select_topology(chips, topology)
    if topology in ("auto", "dragonfly", "rack"):
        usable = (_NODES_PER_RACK - spare_nodes) * CHIPS_PER_NODE
        # At least a rack: a node on its own has no spare.
        built = select_topology(-(-chips // usable) * CHIPS_PER_RACK, topology)
    else:
        built = select_topology(chips, topology)
    working = np.ones(built.chips, dtype=bool)
    for rack in np.unique(built.rack):
        in_rack = built.rack == rack
        nodes = np.unique(built.node[in_rack])
        working &= ~np.isin(built.node, nodes[len(nodes) - spare_nodes :])
    active = np.flatnonzero(working).astype(np.int32)
    if len(active) < chips:
        raise TopologyError(
            f"{built.name} has {built.chips} chips, of which {spare_nodes} spare "
            f"node(s) a rack leave {len(active)}, but {chips} are asked for; "
            f"ask for --chips {len(active)}, fewer spares or a larger machine"
        )
    return replace(built, active=active[:chips])
