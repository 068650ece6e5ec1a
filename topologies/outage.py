"""Outage: the failed chips and links that trees and routes avoid."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from topologies.adjacency import Adjacency
from topologies.topology import Topology


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Failed chips and links of a machine.

    Alignment and deskew need both directions of a cable, so a failed direction makes a
    failed cable.

    Parameters
    ----------
    chips, links
        Numbers of the failed chips and of the failed directed links.
    """

    chips: frozenset[int] = frozenset()
    links: frozenset[int] = frozenset()

    def works(self, topology: Topology) -> NDArray[np.bool_]:
        """Return whether each directed link works, shape ``(directed links,)``.

        A link works unless it, its reverse or a chip at its ends has failed.
        """
        failed = np.zeros(topology.chips, dtype=bool)
        failed[sorted(self.chips)] = True
        works = ~(failed[topology.source] | failed[topology.target])
        links = np.array(sorted(self.links), dtype=np.int64)
        works[links] = works[links ^ 1] = False
        return works

    def adjacency(self, topology: Topology) -> Adjacency:
        """Return the chips that working links lead to each chip from.

        As `Topology.adjacency` does.
        """
        if not (self.chips or self.links):
            return topology.adjacency()
        works = self.works(topology)
        return Adjacency.of_steps(
            topology.chips, topology.source[works], topology.target[works]
        )


NO_OUTAGE = Outage()
"""Outage of a machine in which everything works."""
