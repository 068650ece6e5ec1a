"""Spare nodes: topologies that keep one or more nodes per rack idle for failover."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from specs.errors import TopologyError
from specs.floor import FloorSpec
from topologies.builders.graph_families import names_a_family
from topologies.builders.lpx import lpx_holding
from topologies.cables import CHIPS_PER_NODE, CHIPS_PER_RACK, NODES_PER_RACK
from topologies.floor_plan import on_floor
from topologies.io.files import SUFFIXES
from topologies.selection import LPX, select_topology
from topologies.topology import Topology
from topologies.validation import PORTS_PER_CHIP


def select_with_spares(
    chips: int,
    topology: str = "auto",
    *,
    spare_nodes: int = 0,
    ports_per_chip: int = PORTS_PER_CHIP,
    floor: FloorSpec | None = None,
) -> Topology:
    """Return a topology with `chips` active chips and idle spare nodes in each rack.

    Parameters
    ----------
    chips
        Number of chips that the workload uses.
    topology
        Name or path, as in `select_topology`.
    spare_nodes
        Number of idle nodes per rack; the last nodes of the rack are idle.
    ports_per_chip
        Most links a chip may have.
    floor
        Floor plan that decides the length of cables between racks. Without one they
        are 5 m long. A file states its own lengths.

    Raises
    ------
    TopologyError
        If the topology has too few chips besides the spares, has no nodes that could be
        spare, or needs more ports.

    Examples
    --------
    With one spare node a rack has 64 active chips, so 576 chips need nine racks:

    >>> select_with_spares(576, spare_nodes=1).chips
    648
    """
    built = _selected(chips, topology, spare_nodes, ports_per_chip)
    if floor is None or Path(topology).suffix.lower() in SUFFIXES:
        return built
    return on_floor(built, floor)


def _selected(
    chips: int, topology: str, spare_nodes: int, ports_per_chip: int
) -> Topology:
    """Return the topology of `select_with_spares`, without a floor plan."""
    if not spare_nodes:
        return _within_ports(
            select_topology(chips, topology, ports_per_chip=ports_per_chip),
            ports_per_chip,
        )
    if names_a_family(topology):
        raise TopologyError(
            f"{topology} has no nodes, so {spare_nodes} of a rack cannot be spare; "
            "set spares to 0 or use auto, rack, nodes33 or dragonfly"
        )
    if topology.partition(":")[0] in ("auto", "dragonfly", "rack"):
        usable = (NODES_PER_RACK - spare_nodes) * CHIPS_PER_NODE
        # At least a rack: a single node has no spare.
        built = select_topology(-(-chips // usable) * CHIPS_PER_RACK, topology)
    elif topology == LPX:
        # The nodes of an LPX rack are its groups.
        built = lpx_holding(chips, spare_nodes)
    else:
        built = select_topology(chips, topology, ports_per_chip=ports_per_chip)
    _within_ports(built, ports_per_chip)
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


def _within_ports(topology: Topology, ports_per_chip: int) -> Topology:
    """Return `topology`, or refuse it if its chips have too few ports."""
    degree = np.bincount(topology.source, minlength=topology.chips)
    chip = int(degree.argmax())
    if degree[chip] > ports_per_chip:
        raise TopologyError(
            f"{topology.name}: chip {chip} has {degree[chip]} links but a chip of this "
            f"machine has {ports_per_chip} ports; set chip.ports to {degree[chip]}"
        )
    return topology
