"""Gateways: the chips of a node or rack with cables to other nodes or racks."""

from typing import final

import numpy as np
from numpy.typing import NDArray

from specs.arrays import Ints
from topologies.topology import Topology


@final
class Crossings:
    """Directed links between groups of chips, indexed by pair of groups.

    Parameters
    ----------
    topology
        Ends of the links.
    group
        Group of each chip, shape ``(chips,)``.
    links
        Links that may be used.

    Attributes
    ----------
    links
        Links between two groups, sorted by pair, then by source chip.
    place, parallel
        Number of each link within its pair, and how many links the pair has.
    """

    def __init__(self, topology: Topology, group: Ints, links: Ints) -> None:
        self._groups = int(group.max()) + 1
        source, target = group[topology.source[links]], group[topology.target[links]]
        between = source != target
        key = (source * self._groups + target)[between]
        links = links[between]
        # Sorted by source chip, so that each chip may use its own links.
        order = np.lexsort((links, topology.source[links], key))
        self.links = links[order]
        self._source = topology.source[self.links].astype(np.int64)
        self._keys, self._first, self._count = np.unique(
            key[order], return_index=True, return_counts=True
        )
        at = np.repeat(np.arange(len(self._keys)), self._count)
        self.place = np.arange(len(order)) - self._first[at]
        self.parallel = self._count[at]

    def shared(self, vectors: Ints) -> Ints:
        """Return the vectors of each link if parallel links share those of a pair.

        Parameters
        ----------
        vectors
            Vectors sent over the pair of each of `links`, shape ``(links,)``.
        """
        return self.ends(vectors) - self.place * vectors // self.parallel

    def ends(self, vectors: Ints) -> Ints:
        """Return the end of each link's share; parameters are those of `shared`."""
        return (self.place + 1) * vectors // self.parallel

    def pairs(self) -> int:
        """Return the number of ordered pairs of groups that are linked."""
        return len(self._keys)

    def linked(self, source: Ints, target: Ints) -> NDArray[np.bool_]:
        """Return whether there is a link from one group to another, for each pair."""
        at = np.minimum(self._at(source, target), len(self._keys) - 1)
        key = source * self._groups + target
        return self._keys[at] == key if len(self._keys) else np.zeros_like(key, bool)

    def count(self, source: NDArray[np.integer], target: NDArray[np.integer]) -> Ints:
        """Return the number of links from one group to another, for each pair."""
        return self._count[self._at(source, target)]

    def pick(
        self, source: NDArray[np.integer], target: NDArray[np.integer], number: Ints
    ) -> Ints:
        """Return link `number` of each pair of groups, modulo the links of the pair.

        Every pair must be linked.
        """
        at = self._at(source, target)
        return self.links[self._first[at] + number % self._count[at]]

    def own(self, chip: Ints, source: Ints, target: Ints) -> Ints:
        """Return the number of the first link of a chip itself, -1 if it has none.

        Parameters
        ----------
        chip, source, target
            Chip, its group, and the other group; the groups are linked.
        """
        at = self._at(source, target)
        chips = int(max(chip.max(initial=0), self._source.max(initial=0))) + 1
        links = np.repeat(np.arange(len(self._keys)), self._count) * chips
        links += self._source
        place = np.minimum(np.searchsorted(links, at * chips + chip), len(links) - 1)
        return np.where(links[place] == at * chips + chip, place - self._first[at], -1)

    def _at(self, source: NDArray[np.integer], target: NDArray[np.integer]) -> Ints:
        key = source.astype(np.int64) * self._groups + target
        return np.searchsorted(self._keys, key)


@final
class Gateways:
    """Position of each chip, and the links among the members of a collective.

    Parameters
    ----------
    topology
        Chips and links.
    chips
        Members, shape ``(members,)``.

    Attributes
    ----------
    chips
        Members in ascending order.
    node, rack, slot
        Position of each chip of the topology, shape ``(chips,)``.
    source, target
        Ends of each directed link, shape ``(links,)``.
    local, between_nodes, between_racks
        Links between chips of a node, nodes of a rack, and racks.
    """

    def __init__(self, topology: Topology, chips: Ints) -> None:
        self.chips = np.sort(chips)
        self.node = topology.node.astype(np.int64)
        self.rack = topology.rack.astype(np.int64)
        self.slot = topology.slot.astype(np.int64)
        self.source = topology.source.astype(np.int64)
        self.target = topology.target.astype(np.int64)
        member = np.zeros(topology.chips, dtype=bool)
        member[chips] = True
        links = np.flatnonzero(member[topology.source] & member[topology.target])
        same_node = self.node[self.source[links]] == self.node[self.target[links]]
        same_rack = self.rack[self.source[links]] == self.rack[self.target[links]]
        chip = np.arange(topology.chips, dtype=np.int64)
        self.local = Crossings(topology, chip, links[same_node])
        self.between_nodes = Crossings(
            topology, self.node, links[same_rack & ~same_node]
        )
        self.between_racks = Crossings(topology, self.rack, links[~same_rack])

    @property
    def complete(self) -> bool:
        """Return whether chips of a node, nodes of a rack, and racks are all linked."""
        nodes, of_node = np.unique(self.node[self.chips], return_index=True)
        racks = np.unique(self.rack[self.chips])
        in_node = np.bincount(self.node[self.chips])
        in_rack = np.bincount(self.rack[self.chips[of_node]])
        needed = (
            int((in_node * (in_node - 1)).sum()),
            int((in_rack * (in_rack - 1)).sum()),
            len(racks) * (len(racks) - 1),
        )
        linked = (
            self.local.pairs(),
            self.between_nodes.pairs(),
            self.between_racks.pairs(),
        )
        return len(nodes) > 0 and needed == linked
