"""Static minimal routing: one fixed path for each source and target."""

from typing import final

import numpy as np
from numpy.typing import NDArray

from specs.errors import TopologyError
from topologies.outage import NO_OUTAGE, Outage
from topologies.routing.breadth_first import hop_counts
from topologies.topology import Topology

_MASK = 2**32 - 1


@final
class Routes:
    """Static minimal routing over a topology.

    If several neighbours are equally near the target, or several cables lead to one, a
    hash of source and target selects one of them. The same pair always takes the same
    path; different pairs spread over the choices.

    Paths are computed on demand: one breadth-first search per target, kept as 2 bytes
    per chip. Each computed path is kept too.

    Parameters
    ----------
    topology
        Chips and links. Every chip forwards, active or not.
    outage
        Chips and links that the routes avoid.
    """

    def __init__(self, topology: Topology, outage: Outage = NO_OUTAGE) -> None:
        self._topology = topology
        self._outage = outage
        self._works: list[bool] = outage.works(topology).tolist()
        self._hops_to: dict[int, NDArray[np.int16]] = {}
        self._paths: dict[tuple[int, int], tuple[int, ...]] = {}
        # Plain integers: access to a NumPy scalar takes ten times as long.
        self._ends: list[int] = topology.target.tolist()

    def path(self, source: int, target: int) -> tuple[int, ...]:
        """Return the directed links from `source` to `target`, in order.

        Raises
        ------
        TopologyError
            If either is not a chip of the topology, or the outage leaves no path.

        Examples
        --------
        >>> from topologies.builders.node import node_topology
        >>> Routes(node_topology()).path(0, 1)
        (0,)
        """
        path = self._paths.get((source, target))
        if path is None:
            path = self._paths[source, target] = self._computed_path(source, target)
        return path

    def lanes(self, source: int, target: int, most: int) -> list[tuple[int, ...]]:
        """Return `path` and up to `most` - 1 parallel paths, which share no link.

        Raises
        ------
        TopologyError
            If either is not a chip of the topology, or the outage leaves no path.
        """
        path = self.path(source, target)
        if most == 1 or not path:
            return [path]
        parallel = [
            self._working(int(self._topology.source[link]), self._ends[link])
            for link in path
        ]
        own = [links.index(link) for links, link in zip(parallel, path, strict=True)]
        return [
            tuple(
                links[(place + lane) % len(links)]
                for links, place in zip(parallel, own, strict=True)
            )
            for lane in range(min(most, *map(len, parallel)))
        ]

    def hops(self, source: int, target: int) -> int:
        """Return the number of links of a minimal path; 0 from a chip to itself.

        Raises
        ------
        TopologyError
            If either is not a chip of the topology.
        """
        if self._working(source, target):
            return 1
        if source == target:
            return 0
        return int(self._hops_of_target(target)[source])

    def _computed_path(self, source: int, target: int) -> tuple[int, ...]:
        """Return the path that the hash of source and target selects."""
        mixed = _mixed(source * 0x9E3779B1 + target * 0x85EBCA77)
        direct = self._working(source, target)
        if direct:
            return (direct[mixed % len(direct)],)
        if source == target:
            return ()
        hops = self._hops_of_target(target)
        if hops[source] < 0:
            raise TopologyError(
                f"chip {source} has no way to chip {target}: "
                f"{len(self._outage.chips)} chips and {len(self._outage.links) // 2} "
                f"cables are out of order"
            )
        links: list[int] = []
        chip = source
        while chip != target:
            nearer = sorted(
                {
                    self._ends[link]
                    for link in self._topology.out_links(chip)
                    if self._works[link] and hops[self._ends[link]] < hops[chip]
                }
            )
            following = nearer[mixed % len(nearer)]
            mixed = _mixed(mixed)
            parallel = self._working(chip, following)
            links.append(parallel[mixed % len(parallel)])
            mixed = _mixed(mixed)
            chip = following
        return tuple(links)

    def _working(self, source: int, target: int) -> tuple[int, ...]:
        """Return the working links from one chip to another, ascending."""
        links = self._topology.links_between(source, target)
        return tuple(link for link in links if self._works[link])

    def _hops_of_target(self, target: int) -> NDArray[np.int16]:
        """Return the hop count from every chip to `target`, searched once."""
        known = self._hops_to.get(target)
        if known is None:
            if not 0 <= target < self._topology.chips:
                raise TopologyError(
                    f"no chip {target}: chips are numbered 0 to "
                    f"{self._topology.chips - 1}"
                )
            # Both directions of a cable fail together, so distances are symmetric.
            known = hop_counts(self._outage.adjacency(self._topology), [target])[:, 0]
            self._hops_to[target] = known
        return known


def _mixed(number: int) -> int:
    """Return a 32-bit hash of `number`, by which routes spread over their choices."""
    # Multiply and shift, so that every input bit reaches the low bits, which decide the
    # remainder. Python's hash() of integers would not mix them.
    number &= _MASK
    number = ((number ^ (number >> 16)) * 0x7FEB352D) & _MASK
    number = ((number ^ (number >> 15)) * 0x846CA68B) & _MASK
    return number ^ (number >> 16)


def chip_pairs(topology: Topology) -> list[tuple[int, int]]:
    """Return the ends of all routes of a topology: each ordered pair of active chips.

    Sorted by the distance in their numbering.
    """
    chips = topology.active.tolist()
    count = len(chips)
    return [
        (chips[place], chips[(place + step) % count])
        for step in range(1, count)
        for place in range(count)
    ]
