"""Topologies without nodes of eight: each chip is a node of its own, a rack holds 72.

They compare other networks with the dragonfly on the same chips in the same racks. A
cable has the length of a dragonfly cable between the same racks.
"""

import numpy as np

from specs.arrays import Ints
from specs.errors import TopologyError
from topologies.builders.dragonfly import GLOBAL_LENGTH_M
from topologies.builders.global_link_arrangement import GroupCables
from topologies.builders.rack import RACK_LENGTH_M
from topologies.cables import CHIPS_PER_RACK, both_directions
from topologies.topology import Level, Topology

MOST_CHIPS = 2**16
"""Limit that catches mistyped sizes: the largest GroqRack system has 10 440 chips."""


def flat_topology(
    name: str,
    cables: GroupCables,
    *,
    chips: int,
    active: Ints,
    representatives: tuple[int, ...] | None,
    ports_per_chip: int,
) -> Topology:
    """Build the topology of `cables` between single chips, 72 chips per rack.

    A cable inside a rack has level RACK and 2 m, any other level GLOBAL and 5 m. Every
    chip is a node of its own, so gateway hops equal hops.

    Parameters
    ----------
    name
        Name of the topology.
    cables
        Both ends of every cable; its groups are chips.
    chips
        Number of chips; consecutive numbers fill one rack after another.
    active
        Chips that work, shape ``(active chips,)``; the others only forward.
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
        source=both_directions(cables.source, cables.target).astype(np.int32),
        target=both_directions(cables.target, cables.source).astype(np.int32),
        source_port=both_directions(cables.source_port, cables.target_port).astype(
            np.int16
        ),
        target_port=both_directions(cables.target_port, cables.source_port).astype(
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
    """Refuse to build a topology that is too large or needs more ports than a chip has.

    Raises
    ------
    TopologyError
        If `chips` is not 1 to `MOST_CHIPS`, or `ports` exceeds `ports_per_chip`.
        Raised before any array of that size is made.
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
