"""Parallel links: paths over the same chips that share no link."""

from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from specs.arrays import Ints
from topologies.outage import NO_OUTAGE, Outage
from topologies.routing.minimal_paths import NO_LINK
from topologies.topology import Topology


class LanedPaths(NamedTuple):
    """Paths and their parallel paths, one row per lane.

    Attributes
    ----------
    row
        Index of the given path of each lane, shape ``(lanes,)``, ascending.
    lane
        Number of each lane within its row, from 0, shape ``(lanes,)``.
    lanes
        Number of lanes of its row, shape ``(lanes,)``.
    path
        Directed links in order, -1 after the last, shape ``(lanes, longest path)``.
    """

    row: Ints
    lane: Ints
    lanes: Ints
    path: NDArray[np.int32]


@final
class Lanes:
    """Index of parallel links: those from the same chip to the same chip.

    Parameters
    ----------
    topology
        Chips and links.
    outage
        Chips and links that are not used.
    """

    def __init__(self, topology: Topology, outage: Outage = NO_OUTAGE) -> None:
        key = topology.source.astype(np.int64) * topology.chips + topology.target
        # A failed link is parallel to none.
        failed = np.flatnonzero(~outage.works(topology))
        key[failed] = topology.chips**2 + failed
        self._order = np.argsort(key, kind="stable").astype(np.int32)
        _, first, count = np.unique(
            key[self._order], return_index=True, return_counts=True
        )
        pair = np.repeat(np.arange(len(count)), count)
        self._first = np.empty(len(key), dtype=np.int64)
        self._first[self._order] = first[pair]
        self._count = np.empty(len(key), dtype=np.int64)
        self._count[self._order] = count[pair]
        self._place = np.empty(len(key), dtype=np.int64)
        self._place[self._order] = np.arange(len(key)) - first[pair]

    @property
    def any_parallel(self) -> bool:
        """Return whether any two links are parallel."""
        return bool((self._count > 1).any())

    def beside(self, paths: NDArray[np.integer], most: Ints) -> LanedPaths:
        """Return each path and its parallel paths, the path itself first.

        Parameters
        ----------
        paths
            Directed links in order, -1 after the last, shape ``(paths, longest)``.
        most
            Largest number of lanes of each path, at least 1, shape ``(paths,)``.
        """
        taken = paths != NO_LINK
        parallel = np.where(taken, self._count[paths], np.iinfo(np.int64).max)
        lanes = np.minimum(parallel.min(axis=1), most)
        row = np.repeat(np.arange(len(paths)), lanes)
        lane = np.arange(len(row)) - np.repeat(np.cumsum(lanes) - lanes, lanes)
        link = paths[row]
        place = (self._place[link] + lane[:, None]) % self._count[link]
        path = np.where(taken[row], self._order[self._first[link] + place], NO_LINK)
        return LanedPaths(row, lane, lanes[row], path.astype(np.int32))
