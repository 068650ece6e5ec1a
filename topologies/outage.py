"""What of a machine is out of order, so that trees and routes go around it."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from topologies.topology import Topology


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Chips and links that nothing may pass.

    Alignment and deskew need both directions of a cable, so a dead direction is a dead
    cable.

    Parameters
    ----------
    chips, links
        Numbers of the chips, and of the directed links.
    """

    chips: frozenset[int] = frozenset()
    links: frozenset[int] = frozenset()

    def works(self, topology: Topology) -> NDArray[np.bool_]:
        """Return whether each directed link works, shape ``(directed links,)``.

        A link works if neither it nor the chips at its ends are out of order.
        """
        dead_chip = np.zeros(topology.chips, dtype=bool)
        dead_chip[sorted(self.chips)] = True
        works = ~(dead_chip[topology.source] | dead_chip[topology.target])
        links = np.array(sorted(self.links), dtype=np.int64)
        works[links] = works[links ^ 1] = False
        return works

    def adjacency(self, topology: Topology) -> "csr_array[np.float32]":
        """Return how many links that work join each pair of chips.

        Shape ``(chips, chips)``, as `Topology.adjacency`.
        """
        if not (self.chips or self.links):
            return topology.adjacency()
        works = self.works(topology)
        ones = np.ones(int(works.sum()), np.float32)
        ends = (topology.target[works], topology.source[works])
        return coo_array((ones, ends), shape=(topology.chips, topology.chips)).tocsr()


NO_OUTAGE = Outage()
"""A machine in which everything works."""
