"""Totals of each directed link over a run: vectors, slack, errors and losses."""

from typing import final

import numpy as np

from fabric.faults.link_errors import Corrected
from fabric.links.slack import UNLIMITED_PS
from fabric.results.result import LinkTable
from fabric.runtime.segment import Segment
from specs.arrays import Ints


@final
class LinkTotals:
    """Totals of each directed link, accumulated by iteration and segment.

    Parameters
    ----------
    links
        Directed links of the machine.
    """

    def __init__(self, links: int) -> None:
        self._used = np.zeros(links, dtype=np.bool_)
        self._vectors = np.zeros(links, dtype=np.int64)
        self._least_slack = np.full(links, UNLIMITED_PS, dtype=np.int64)
        self._corrected = np.zeros(links, dtype=np.int64)
        self._uncorrectable = np.zeros(links, dtype=np.int64)
        self._lost = np.zeros(links, dtype=np.int64)

    def open(self, segment: Segment) -> None:
        """Begin a segment."""
        self._trains = segment.program.trains
        self._segment_links = np.unique(self._trains.link)
        self._used[self._segment_links] = True
        least = np.full(len(self._segment_links), UNLIMITED_PS, dtype=np.int64)
        self._segment_least = least

    def add(
        self,
        *,
        least_ps: Ints,
        corrected: Corrected,
        damaged: tuple[int, ...],
        lost: Ints,
    ) -> None:
        """Add an iteration of the open segment.

        Parameters
        ----------
        least_ps
            Least slack on each link that the program uses, ascending by link.
        corrected
            Corrected codewords, without those of lost trains.
        damaged, lost
            Trains with an uncorrectable codeword, and trains that never arrived.
        """
        link = self._trains.link
        np.minimum(self._segment_least, least_ps, out=self._segment_least)
        np.add.at(self._corrected, link[corrected.trains], corrected.codewords)
        if damaged:
            np.add.at(self._uncorrectable, link[list(damaged)], 1)
        if len(lost):
            np.add.at(self._lost, link[lost], 1)
            np.subtract.at(self._vectors, link[lost], self._trains.vectors[lost])

    def close(self, iterations: int) -> None:
        """End the segment, after `iterations` of all sequences."""
        link, vectors = self._trains.link, self._trains.vectors
        carried = np.bincount(link, weights=vectors, minlength=len(self._vectors))
        self._vectors += carried.astype(np.int64) * iterations
        rows = self._segment_links
        least = np.minimum(self._least_slack[rows], self._segment_least)
        self._least_slack[rows] = least

    def table(self) -> LinkTable:
        """Return the table of the links that a train used."""
        used = np.flatnonzero(self._used)
        return LinkTable(
            link=used,
            vectors=self._vectors[used],
            least_slack_ps=self._least_slack[used],
            corrected=self._corrected[used],
            uncorrectable=self._uncorrectable[used],
            lost=self._lost[used],
        )
