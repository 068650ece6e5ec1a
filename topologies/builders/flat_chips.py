"""Wirings that know no nodes of eight: each chip stands for itself, racks hold 72.

They compare other networks with ours on the same chips in the same cabinets: a cable
is as long as one of ours that goes as far.
"""

import numpy as np
from numpy.typing import NDArray

from specs.errors import TopologyError
from topologies.builders.dragonfly import GLOBAL_LENGTH_M
from topologies.builders.global_link_arrangement import GroupCables
from topologies.builders.rack import RACK_LENGTH_M
from topologies.cables import CHIPS_PER_RACK, there_and_back
from topologies.topology import Level, Topology

MOST_CHIPS = 2**16
"""More are a slip of the finger: the largest GroqRack system has 10 440."""


def chipwise_topology(
    name: str,
    cables: GroupCables,
    *,
    chips: int,
    active: NDArray[np.int64],
    representatives: tuple[int, ...] | None,
    ports_per_chip: int,
) -> Topology:
    """Return the topology of `cables` between single chips, 72 of them to a rack.

    A cable inside a rack is of level RACK and 2 m long, any other GLOBAL and 5 m.
    Every chip is a node of its own, so no move inside a node is ever left out.

    Parameters
    ----------
    name
        Name of the topology.
    cables
        Both ends of every cable, with chips for groups.
    chips
        Number of chips, in the order in which they stand in racks.
    active
        Chips that work; others only forward.
    representatives
        As in :class:`~topologies.topology.Topology`.
    ports_per_chip
        Most links a chip may have.
    """
    chip = np.arange(chips, dtype=np.int32)
    rack = chip // np.int32(CHIPS_PER_RACK)
    inside = rack[cables.source] == rack[cables.target]
    return Topology(
        name=name,
        chips=chips,
        active=active.astype(np.int32),
        source=there_and_back(cables.source, cables.target).astype(np.int32),
        target=there_and_back(cables.target, cables.source).astype(np.int32),
        source_port=there_and_back(cables.source_port, cables.target_port).astype(
            np.int16
        ),
        target_port=there_and_back(cables.target_port, cables.source_port).astype(
            np.int16
        ),
        level=np.repeat(np.where(inside, Level.RACK, Level.GLOBAL), 2).astype(np.int8),
        length_m=np.repeat(np.where(inside, RACK_LENGTH_M, GLOBAL_LENGTH_M), 2),
        rack=rack,
        node=chip,
        slot=np.zeros(chips, np.int32),
        representatives=representatives,
        ports_per_chip=ports_per_chip,
    )


def check_size(name: str, *, chips: int, ports: int, ports_per_chip: int) -> None:
    """Refuse a wiring that is too large, or needs more ports than a chip has.

    Raises
    ------
    TopologyError
        Before any array of that size is made.
    """
    if not 1 <= chips <= MOST_CHIPS:
        raise TopologyError(
            f"{name}: a machine of {chips} chips; ask for 1 to {MOST_CHIPS}"
        )
    if ports > ports_per_chip:
        raise TopologyError(
            f"{name}: chip 0 has {ports} links but {ports_per_chip} ports; choose a "
            f"wiring that needs fewer or set chip.ports to {ports}"
        )
