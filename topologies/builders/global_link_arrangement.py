"""Global link arrangement: which outward ports of which two groups a cable joins.

A *group* is a node inside a rack, or a rack inside a larger system. The groups form a
ring, and every group has the same arrangement: port `k` of group `r` leads to the group
`offset[k]` places further on the ring, and ends at port `mate[k]` there. A rotation of
the ring therefore maps the machine onto itself, and the hop counts of one group hold
for all groups.
"""

from typing import NamedTuple

import numpy as np

from specs.arrays import Ints
from specs.errors import TopologyError


class Arrangement(NamedTuple):
    """Arrangement of the links between identical groups, the same for every group.

    Attributes
    ----------
    groups
        Number of groups, *g* in [1]_.
    offset
        Distance on the ring that each used port spans, in 1 .. groups - 1,
        ascending, shape ``(used ports,)``.
    copy
        Rank of each port among those with its offset, from 0, shape
        ``(used ports,)``.
    mate
        Port of the other group at which the cable ends, shape ``(used ports,)``.
        An involution: ``mate[mate[k]] == k``.

    References
    ----------
    .. [1] J. Kim, W. J. Dally, S. Scott and D. Abts, "Technology-Driven,
       Highly-Scalable Dragonfly Topology," ISCA 2008.
    """

    groups: int
    offset: Ints
    copy: Ints
    mate: Ints


class GroupCables(NamedTuple):
    """Both ends of every cable between groups, arrays of shape ``(cables,)``."""

    source: Ints
    source_port: Ints
    target: Ints
    target_port: Ints


def even_arrangement(groups: int, ports: int) -> Arrangement:
    """Build the arrangement that divides a group's ports evenly among the others.

    Every pair of groups gets ``ports // (groups - 1)`` cables. The remaining ports add
    one cable each to the nearest groups: those at offset 1 and -1, then 2 and -2, and
    so on. An odd remaining port leads to the opposite group of the ring; with an odd
    number of groups there is none, and the port stays free.

    Parameters
    ----------
    groups
        Number of groups, at least 2.
    ports
        Outward ports of each group.

    Raises
    ------
    TopologyError
        If some pair of groups would have no cable.

    Examples
    --------
    >>> even_arrangement(groups=3, ports=4).offset
    array([1, 1, 2, 2])
    >>> even_arrangement(groups=3, ports=4).mate
    array([2, 3, 0, 1])
    """
    if groups <= 1:
        raise TopologyError(f"an arrangement needs at least 2 groups, got {groups}")
    if ports < groups - 1:
        raise TopologyError(
            f"{groups} groups cannot be fully connected: {ports} outward ports reach "
            f"{ports + 1} groups at most"
        )
    each, spare = divmod(ports, groups - 1)
    cables = np.full(groups, each)
    cables[0] = 0
    if spare % 2 and groups % 2 == 0:
        cables[groups // 2] += 1
    near = np.arange(1, spare // 2 + 1)
    cables[near] += 1
    cables[groups - near] += 1

    first = np.cumsum(cables) - cables
    offset = np.repeat(np.arange(groups), cables)
    copy = np.arange(len(offset)) - first[offset]
    # Between opposite groups both ends have the same offset. The copies are reversed
    # there, or every port would meet the port of its own number.
    facing = np.where(2 * offset == groups, cables[offset] - 1 - copy, copy)
    mate = first[(groups - offset) % groups] + facing
    return Arrangement(groups, offset, copy, mate)


def group_cables(arrangement: Arrangement) -> GroupCables:
    """Build every cable of `arrangement` once, from its lower to its higher port."""
    groups, offset, _, mate = arrangement
    ports = len(offset)
    group, port = np.divmod(np.arange(groups * ports), ports)
    far_group = (group + offset[port]) % groups
    far_port = mate[port]
    once = group * ports + port < far_group * ports + far_port
    return GroupCables(group[once], port[once], far_group[once], far_port[once])
