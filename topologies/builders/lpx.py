"""LPX rack: a flattened butterfly of sixteen groups of sixteen chips.

Four parallel cables join every pair of chips of a group. Two parallel cables join chip
`s` of a group to chip `s` of each other group. The diameter is two hops.
"""

import numpy as np

from specs.errors import TopologyError
from topologies.builders.global_link_arrangement import even_arrangement, group_cables
from topologies.builders.node import local_cables
from topologies.builders.rack import RACK_LENGTH_M
from topologies.cables import CableBundle, topology_from_cables
from topologies.topology import Level, Topology

CHIPS_PER_GROUP = 16
MOST_GROUPS = 16
LPX_CHIPS = CHIPS_PER_GROUP * MOST_GROUPS
CABLES_IN_GROUP = 4
CABLES_BETWEEN_GROUPS = 2
PORTS_PER_LPX_CHIP = 96
"""60 stay in the group, 30 lead to other groups, 4 leave it and 2 are free."""


def lpx_topology(groups: int = MOST_GROUPS) -> Topology:
    """Build the first groups of an LPX rack, at most 90 of 96 ports per chip in use.

    Cables have the lengths of a GroqRack's node and rack. Neither lengths nor the
    pairs of chips that are linked across groups are published.

    Parameters
    ----------
    groups
        Number of groups, 1 to 16.

    Raises
    ------
    TopologyError
        If a rack does not hold so many groups.

    References
    ----------
    .. [1] J. Kim, W. J. Dally and D. Abts, "Flattened Butterfly: A Cost-Efficient
       Topology for High-Radix Networks," ISCA 2007.

    Examples
    --------
    >>> rack = lpx_topology()
    >>> rack.chips, rack.links
    (256, 11520)
    """
    if not 1 <= groups <= MOST_GROUPS:
        raise TopologyError(
            f"an LPX rack has {MOST_GROUPS} groups of {CHIPS_PER_GROUP} chips, got "
            f"{groups}; how racks are linked is not published"
        )
    inside = local_cables(groups, chips=CHIPS_PER_GROUP, copies=CABLES_IN_GROUP)
    chips = CHIPS_PER_GROUP * groups
    return topology_from_cables(
        "lpx",
        [inside, _group_cables(groups)] if groups > 1 else [inside],
        chips=chips,
        chips_per_node=CHIPS_PER_GROUP,
        chips_per_rack=chips,
        representatives=(0,),
        ports_per_chip=PORTS_PER_LPX_CHIP,
    )


def _group_cables(groups: int) -> CableBundle:
    """Build the cables between groups, which join chips of the same slot."""
    ports = CABLES_BETWEEN_GROUPS * (groups - 1)
    cables = group_cables(even_arrangement(groups, ports))
    slot = np.arange(CHIPS_PER_GROUP)[:, np.newaxis]
    first_port = CABLES_IN_GROUP * (CHIPS_PER_GROUP - 1)
    return CableBundle(
        source=(CHIPS_PER_GROUP * cables.source + slot).ravel(),
        source_port=np.tile(first_port + cables.source_port, CHIPS_PER_GROUP),
        target=(CHIPS_PER_GROUP * cables.target + slot).ravel(),
        target_port=np.tile(first_port + cables.target_port, CHIPS_PER_GROUP),
        level=Level.RACK,
        length_m=RACK_LENGTH_M,
    )
