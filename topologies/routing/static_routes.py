"""Static minimal routing: one fixed path for each source and target."""

from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from specs.arrays import Ints
from specs.errors import TopologyError
from topologies.outage import NO_OUTAGE, Outage
from topologies.routing.minimal_paths import MinimalPaths
from topologies.routing.parallel_links import Lanes
from topologies.topology import Topology

# Paths of more pairs at once are not kept: they take more memory than time.
_MOST_KEPT_PAIRS = 4096


@final
class Routes:
    """Static minimal routing over a topology.

    If several neighbours are equally near the target, or several cables lead to one, a
    hash of source and target selects one of them. The same pair always takes the same
    path; different pairs spread over the choices.

    Parameters
    ----------
    topology
        Chips and links. Every chip forwards, active or not.
    outage
        Chips and links that the routes avoid; also an attribute.
    """

    def __init__(self, topology: Topology, outage: Outage = NO_OUTAGE) -> None:
        self.outage = outage
        self._topology = topology
        self._minimal = MinimalPaths(topology, outage=outage)
        self._paths: dict[int, list[tuple[int, ...]]] = {}
        self._of_pairs: dict[tuple[bytes, bytes], NDArray[np.int32]] = {}

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
        self._check(source, target)
        if target not in self._paths:
            # All sources at once take little longer than one.
            near = np.flatnonzero(self._minimal.hops(target) >= 0)
            rows = self._minimal.of(near, np.full_like(near, target)).tolist()
            paths: list[tuple[int, ...]] = [()] * self._topology.chips
            for chip, row in zip(near.tolist(), rows, strict=True):
                paths[chip] = tuple(link for link in row if link >= 0)
            self._paths[target] = paths
        path = self._paths[target][source]
        if not path and source != target:
            raise TopologyError(
                f"chip {source} has no way to chip {target}: "
                f"{len(self.outage.chips)} chips and {len(self.outage.links) // 2} "
                f"cables are out of order"
            )
        return path

    def paths(self, source: Ints, target: Ints) -> NDArray[np.int32]:
        """Return `path` of many pairs, as `MinimalPaths.of` does."""
        if len(source) > _MOST_KEPT_PAIRS:
            return self._minimal.of(source, target)
        # A phase of messages is routed again for every guard band that is tried.
        key = source.tobytes(), target.tobytes()
        if key not in self._of_pairs:
            self._of_pairs[key] = self._minimal.of(source, target)
        return self._of_pairs[key]

    def hops(self, source: int, target: int) -> int:
        """Return the number of links of a minimal path; 0 from a chip to itself.

        It is negative if the outage leaves no path.

        Raises
        ------
        TopologyError
            If either is not a chip of the topology.
        """
        self._check(source, target)
        return int(self._minimal.hops(target)[source])

    def _check(self, source: int, target: int) -> None:
        """Refuse ends of a route that are no chips of the topology."""
        for chip in (source, target):
            if not 0 <= chip < self._topology.chips:
                raise TopologyError(
                    f"no chip {chip}: chips are numbered 0 to "
                    f"{self._topology.chips - 1}"
                )

    @cached_property
    def lanes(self) -> Lanes:
        """Index of the working links that are parallel."""
        return Lanes(self._topology, self.outage)


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
