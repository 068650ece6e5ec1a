"""Hierarchy of a group: its chips by racks and nodes, and who sends to whom between.

At each level a member sends once to every other group of the level: to one member
there, who passes it on at the next level. It is the one of equal rank, on a minimal
path; or, if there are cables between the two groups, the one at the end of a cable,
which the members share: fewer hops, but no other group's cables.
"""

from functools import cached_property, lru_cache
from itertools import pairwise
from typing import NamedTuple, final

import numpy as np

from compiler.routing.gateways import Crossings
from specs.arrays import Ints
from topologies.cables import CHIPS_PER_NODE
from topologies.routing.minimal_paths import LinksOfPairs
from topologies.topology import Topology

FLAT, BY_SLOTS, BY_NODES, BY_RACKS = "", "by slots", "by nodes", "by racks"


class Level(NamedTuple):
    """Messages of an all-gather at a level of a hierarchy.

    Attributes
    ----------
    source, target
        Places of the chips in the group, shape ``(messages,)``.
    path
        As in `MessageTable`: to the chip of the cable, and over the cable.
    """

    source: Ints
    target: Ints
    path: Ints | None


@final
class Hierarchy:
    """Hierarchy of a group of chips.

    Parameters
    ----------
    topology
        Cables between the chips.
    members
        Chips, shape ``(members,)``.
    groups
        Number of each member's group at each level, from the outermost to the chip
        itself, shapes ``(members,)``.
    cables
        Whether messages go to the ends of cables between groups.
    """

    def __init__(
        self, topology: Topology, members: Ints, *groups: Ints, cables: bool = True
    ) -> None:
        self._topology = topology
        self._members = members
        self._cables = cables
        self.groups = groups

    @cached_property
    def _pairs(self) -> list[tuple[Ints, Ints]]:
        """Group of each member at the level above, and at the level."""
        return list(pairwise((np.zeros_like(self._members), *self.groups)))

    @cached_property
    def messages(self) -> int:
        """Number of messages of an all-gather over all levels."""
        total = 0
        for parent, group in self._pairs:
            above = np.empty(int(group.max()) + 1, dtype=np.int64)
            above[group] = parent
            total += int((np.bincount(above) - 1)[parent].sum())
        return total

    @cached_property
    def levels(self) -> list[Level]:
        """Messages of an all-gather at each level."""
        return [
            _level(self._topology, self._members, parent, group, cables=self._cables)
            for parent, group in self._pairs
        ]


def hierarchies(topology: Topology, members: Ints) -> dict[str, Hierarchy]:
    """Return the hierarchies of a group of chips by name, the flat one first.

    Parameters
    ----------
    topology
        Positions of the chips.
    members
        Chips, shape ``(members,)``.
    """
    return _hierarchies(topology, members.astype(np.int64).tobytes())


@lru_cache(maxsize=4096)
def _hierarchies(topology: Topology, members_: bytes) -> dict[str, Hierarchy]:
    """Return the hierarchies of a group, computed once."""
    members = np.frombuffer(members_, dtype=np.int64)
    count = len(members)
    chips = np.arange(count, dtype=np.int64)
    made = {FLAT: Hierarchy(topology, members, chips)}
    racks = np.unique(topology.rack[members], return_inverse=True)[1]
    nodes = np.unique(topology.node[members], return_inverse=True)[1]
    if nodes.max() + 1 == count:
        # Where a chip is no part of a node, rows of members take the place of nodes.
        nodes = chips // CHIPS_PER_NODE
    if 0 < nodes.max() < count - 1:
        made[BY_SLOTS] = Hierarchy(topology, members, nodes, chips, cables=False)
        made[BY_NODES] = Hierarchy(topology, members, nodes, chips)
        if 0 < racks.max() < nodes.max():
            made[BY_RACKS] = Hierarchy(topology, members, racks, nodes, chips)
    return made


def _level(
    topology: Topology, members: Ints, parent: Ints, group: Ints, *, cables: bool
) -> Level:
    """Return the messages of a level; only groups of one parent exchange."""
    order = np.argsort(group, kind="stable")
    size = np.bincount(group)
    first = np.cumsum(size) - size
    rank = np.empty_like(group)
    rank[order] = np.arange(len(group)) - first[group[order]]
    above = np.empty_like(size)
    above[group] = parent
    source, goal = np.nonzero(
        (parent[:, None] == above) & (group[:, None] != np.arange(len(size)))
    )
    place = rank[source] * size[goal] // size[group[source]]
    if cables and size.max() > 1:
        own = np.full(topology.chips, -1, dtype=np.int64)
        own[members] = np.arange(len(members))
        near, far = own[topology.source], own[topology.target]
        links = np.flatnonzero((near >= 0) & (far >= 0))
        of_chip = np.zeros(topology.chips, dtype=np.int64)
        of_chip[members] = group
        crossings = Crossings(topology, of_chip, links)
        linked = np.flatnonzero(crossings.linked(group[source], goal))
        near_end, far_group = members[source[linked]], goal[linked]
        ends = group[source[linked]], far_group
        number = crossings.own(near_end, *ends)
        # Members without a cable of their own take turns.
        other = np.flatnonzero(number < 0)
        pair = ends[0][other] * len(size) + far_group[other]
        other = other[np.argsort(pair, kind="stable")]
        pair.sort()
        number[other] = np.arange(len(pair)) - np.searchsorted(pair, pair)
        cable = crossings.pick(*ends, number)
        place[linked] = rank[own[topology.target[cable]]]
        path = _over_cables(topology, near_end, cable)
        if path is not None:
            given = np.full((len(source), 2), -1, dtype=np.int64)
            given[linked] = path
            return Level(source, order[first[goal] + place], given)
    return Level(source, order[first[goal] + place], None)


def _over_cables(topology: Topology, chip: Ints, cable: Ints) -> Ints | None:
    """Return the path of each chip over its cable, only -1 if that is not two links.

    None if some links are parallel: messages are striped over them.
    """
    links = _links(topology)
    if links.parallel:
        return None
    near = topology.source[cable].astype(np.int64)
    local = links.pick(chip, near, np.zeros_like(chip)).astype(np.int64)
    path = np.stack([local, cable], axis=1)
    path[chip == near] = np.stack([cable, np.full_like(cable, -1)], axis=1)[
        chip == near
    ]
    path[(chip != near) & (local < 0)] = -1
    return path


@lru_cache(maxsize=8)
def _links(topology: Topology) -> LinksOfPairs:
    """Return the links between chips, sorted once."""
    return LinksOfPairs(topology)
