"""LPX racks: each a flattened butterfly of sixteen groups of sixteen chips.

Four parallel cables join every pair of chips of a group. Two parallel cables join chip
`s` of a group to chip `s` of each other group. The diameter is two hops. Four ports of
a chip leave its rack; in a system of several racks they link every pair of racks.
"""

import numpy as np

from specs.errors import TopologyError
from specs.units import ceil_div
from topologies.builders.dragonfly import GLOBAL_LENGTH_M
from topologies.builders.global_link_arrangement import even_arrangement, group_cables
from topologies.builders.node import local_cables
from topologies.builders.rack import RACK_LENGTH_M
from topologies.cables import CableBundle, topology_from_cables
from topologies.topology import Level, Topology

CHIPS_PER_GROUP = 16
MOST_GROUPS = 16
LPX_CHIPS = CHIPS_PER_GROUP * MOST_GROUPS
PORTS_LEAVING_RACK = 4
# Assumed: about as many chips as the largest system of the first generation.
MOST_LPX_RACKS = 40
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
            f"{groups}; use lpx_racks for more"
        )
    inside = local_cables(groups, chips=CHIPS_PER_GROUP, copies=CABLES_IN_GROUP)
    chips = CHIPS_PER_GROUP * groups
    return topology_from_cables(
        "lpx",
        [inside, _group_cables(groups, 1)] if groups > 1 else [inside],
        chips=chips,
        chips_per_node=CHIPS_PER_GROUP,
        chips_per_rack=chips,
        representatives=(0,),
        ports_per_chip=PORTS_PER_LPX_CHIP,
    )


def lpx_racks(racks: int) -> Topology:
    """Build whole LPX racks, each pair of them linked, 94 of 96 ports per chip in use.

    How racks are linked is not published. Here the 1,024 ports that leave a rack are
    divided evenly among the other racks, as in the dragonfly of the first generation;
    port `k` of a rack is one of chip ``k mod 256``, so that the cables to another rack
    leave from different chips.

    Parameters
    ----------
    racks
        Number of racks, 1 to 40.

    Raises
    ------
    TopologyError
        If there are fewer racks or more.

    Examples
    --------
    >>> pair = lpx_racks(2)
    >>> pair.chips, pair.links
    (512, 24064)
    """
    if not 1 <= racks <= MOST_LPX_RACKS:
        raise TopologyError(
            f"{racks} LPX racks asked for; how they are linked is not published, and 1 "
            f"to {MOST_LPX_RACKS} are modelled"
        )
    if racks == 1:
        return lpx_topology()
    groups = MOST_GROUPS * racks
    inside = local_cables(groups, chips=CHIPS_PER_GROUP, copies=CABLES_IN_GROUP)
    return topology_from_cables(
        "lpx",
        [inside, _group_cables(MOST_GROUPS, racks), _rack_cables(racks)],
        chips=LPX_CHIPS * racks,
        chips_per_node=CHIPS_PER_GROUP,
        chips_per_rack=LPX_CHIPS,
        # A rotation of the ring of racks maps the system onto itself.
        representatives=tuple(range(LPX_CHIPS)),
        ports_per_chip=PORTS_PER_LPX_CHIP,
    )


def lpx_holding(chips: int, spare_groups: int = 0) -> Topology:
    """Build the groups of an LPX rack that hold some chips, or whole racks.

    Parameters
    ----------
    chips
        Chips that work.
    spare_groups
        Groups of each rack that do not.

    Raises
    ------
    TopologyError
        If they are more than the largest system holds.
    """
    usable = CHIPS_PER_GROUP * (MOST_GROUPS - spare_groups)
    if chips <= usable:
        return lpx_topology(ceil_div(chips, CHIPS_PER_GROUP) + spare_groups)
    racks = ceil_div(chips, usable)
    if racks > MOST_LPX_RACKS:
        raise TopologyError(
            f"{chips} chips asked for, but {MOST_LPX_RACKS} LPX racks hold "
            f"{MOST_LPX_RACKS * usable}, and how more are linked is not published; ask "
            f"for {MOST_LPX_RACKS * usable} at most"
        )
    return lpx_racks(racks)


def _rack_cables(racks: int) -> CableBundle:
    """Build the cables between LPX racks."""
    arrangement = even_arrangement(racks, PORTS_LEAVING_RACK * LPX_CHIPS)
    cables = group_cables(arrangement)
    first_port = CABLES_IN_GROUP * (CHIPS_PER_GROUP - 1)
    first_port += CABLES_BETWEEN_GROUPS * (MOST_GROUPS - 1)
    source_port, source = np.divmod(cables.source_port, LPX_CHIPS)
    target_port, target = np.divmod(cables.target_port, LPX_CHIPS)
    return CableBundle(
        source=LPX_CHIPS * cables.source + source,
        source_port=first_port + source_port,
        target=LPX_CHIPS * cables.target + target,
        target_port=first_port + target_port,
        level=Level.GLOBAL,
        length_m=GLOBAL_LENGTH_M,
    )


def _group_cables(groups: int, racks: int) -> CableBundle:
    """Build the cables between groups of each LPX rack, to chips of the same slot."""
    ports = CABLES_BETWEEN_GROUPS * (groups - 1)
    cables = group_cables(even_arrangement(groups, ports))
    # One copy for each slot of each rack.
    chips = CHIPS_PER_GROUP * groups * np.arange(racks)[:, np.newaxis]
    first = (chips + np.arange(CHIPS_PER_GROUP)).reshape(-1, 1)
    first_port = CABLES_IN_GROUP * (CHIPS_PER_GROUP - 1)
    return CableBundle(
        source=(CHIPS_PER_GROUP * cables.source + first).ravel(),
        source_port=np.tile(first_port + cables.source_port, len(first)),
        target=(CHIPS_PER_GROUP * cables.target + first).ravel(),
        target_port=np.tile(first_port + cables.target_port, len(first)),
        level=Level.RACK,
        length_m=RACK_LENGTH_M,
    )
