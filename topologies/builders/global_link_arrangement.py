"""Which outward port of a group goes to which port of which other group.

A *group* is a node inside a rack, or a rack inside a larger system. All groups are
wired alike: port `k` of group `r` goes `offset[k]` groups further, counted around the
ring of groups, and ends at port `mate[k]` there. So turning the ring maps the machine
onto itself, and the hop counts of one group stand for those of all.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specs.errors import TopologyError


class Arrangement(NamedTuple):
    """A wiring between identical groups, the same seen from each of them.

    Attributes
    ----------
    groups
        Number of groups, *g* in [1]_.
    offset
        Groups to go forward from each used port, in 1 .. groups - 1, ascending,
        shape ``(used ports,)``.
    copy
        Which of the ports with this offset it is, from 0, shape ``(used ports,)``.
    mate
        Port of the other group at which the cable ends, shape ``(used ports,)``. It
        is an involution: the mate of the mate is the port itself.

    References
    ----------
    .. [1] J. Kim, W. J. Dally, S. Scott and D. Abts, "Technology-Driven,
       Highly-Scalable Dragonfly Topology," ISCA 2008.
    """

    groups: int
    offset: NDArray[np.int64]
    copy: NDArray[np.int64]
    mate: NDArray[np.int64]


class GroupCables(NamedTuple):
    """Both ends of every cable between groups; each array has shape ``(cables,)``."""

    source: NDArray[np.int64]
    source_port: NDArray[np.int64]
    target: NDArray[np.int64]
    target_port: NDArray[np.int64]


def even_arrangement(groups: int, ports: int) -> Arrangement:
    """Return the arrangement that shares a group's ports out evenly.

    Every pair of groups gets ``ports // (groups - 1)`` cables. What is left over goes
    to the nearest groups: one more cable each to the groups at offset 1 and -1, then
    2 and -2, and so on; an odd one goes halfway round the ring. With an odd number of
    groups nothing is halfway round, so an odd port left over stays free.

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
    # Halfway round the ring both ends have the same offset. Reversing the copies
    # there keeps a port from always meeting the port of the same number.
    facing = np.where(2 * offset == groups, cables[offset] - 1 - copy, copy)
    mate = first[(groups - offset) % groups] + facing
    return Arrangement(groups, offset, copy, mate)


def group_cables(arrangement: Arrangement) -> GroupCables:
    """Return every cable of `arrangement` once, from its lower to its higher end."""
    groups, offset, _, mate = arrangement
    ports = len(offset)
    group, port = np.divmod(np.arange(groups * ports), ports)
    far_group = (group + offset[port]) % groups
    far_port = mate[port]
    once = group * ports + port < far_group * ports + far_port
    return GroupCables(group[once], port[once], far_group[once], far_port[once])
