"""Minimal paths of many pairs at once, as arrays."""

from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from specs.arrays import Ints
from specs.errors import TopologyError
from topologies.outage import NO_OUTAGE, Outage
from topologies.routing.breadth_first import hop_counts
from topologies.topology import Topology

NO_LINK = -1
_MASK = np.uint64(2**32 - 1)
# Pairs that advance together: bounds their table of neighbours to 100 MB.
_BLOCK_PAIRS = 2**20
# Chips times goals searched together: bounds two dense float32 matrices to 64 MB each.
_BLOCK_CELLS = 2**24


def minimal_paths(topology: Topology, source: Ints, target: Ints) -> NDArray[np.int32]:
    """Return the topology's minimal path of each pair.

    All pairs advance together, hop by hop, so a pair takes a microsecond.

    Parameters
    ----------
    topology
        Chips and links. Every chip forwards, active or not.
    source, target
        Chips, shape ``(pairs,)``.

    Returns
    -------
    NDArray
        Directed links in order, ``NO_LINK`` after the last one, shape
        ``(pairs, longest path)``.

    Examples
    --------
    >>> from topologies.builders.node import node_topology
    >>> minimal_paths(node_topology(), np.array([0, 1]), np.array([1, 1])).tolist()
    [[0], [-1]]
    """
    return MinimalPaths(topology).of(source, target)


@final
class LinksOfPairs:
    """Index of the directed links from one chip to another, for many pairs at once.

    Parameters
    ----------
    topology
        Chips and links.
    links
        Links that may be used, ascending; all if None.
    """

    def __init__(self, topology: Topology, links: Ints | None = None) -> None:
        self._chips = topology.chips
        if links is None:
            links = np.arange(len(topology.source))
        keys = topology.source[links].astype(np.int64) * self._chips
        keys += topology.target[links]
        order = np.argsort(keys, kind="stable")
        self._order = links[order].astype(np.int32)
        self._keys = keys[order]

    @property
    def parallel(self) -> bool:
        """Return whether any two links lead from the same chip to the same chip."""
        return bool((np.diff(self._keys) == 0).any())

    def pick(self, source: Ints, target: Ints, number: Ints) -> NDArray[np.int32]:
        """Return link `number` of each pair, modulo the number of its parallel links.

        Parameters
        ----------
        source, target, number
            Chips, and the rank of a link among those of the pair, ascending. Shape
            ``(pairs,)``.

        Returns
        -------
        NDArray
            Directed links, ``NO_LINK`` for a pair without any, shape ``(pairs,)``.
        """
        key = source * self._chips + target
        first = np.searchsorted(self._keys, key, "left")
        count = np.searchsorted(self._keys, key, "right") - first
        at = first + number % np.maximum(count, 1)
        picked = self._order[np.minimum(at, len(self._order) - 1)]
        return np.where(count > 0, picked, np.int32(NO_LINK))


@final
class MinimalPaths:
    """Minimal paths on one machine; keeps the hop counts of each target.

    Parameters
    ----------
    topology
        Chips and links. Every chip forwards, active or not.
    goals_together
        Number of consecutive chips whose hop counts are searched as soon as one of them
        is a target. A larger number is faster if all chips become targets in order.
    outage
        Chips and links that the paths avoid.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        goals_together: int = 1,
        outage: Outage = NO_OUTAGE,
    ) -> None:
        self._topology = topology
        self._goals_together = goals_together
        self._outage = outage
        self._working = np.flatnonzero(outage.works(topology))
        self._links = LinksOfPairs(topology, self._working)
        # Hops from every chip to each goal searched so far, and the row of each goal.
        self._row = np.full(topology.chips, -1, dtype=np.int64)
        self._hops = np.empty((0, topology.chips), dtype=np.int16)
        self._searched = 0

    def of(self, source: Ints, target: Ints) -> NDArray[np.int32]:
        """Return the minimal path of each pair, as `minimal_paths` does.

        Raises
        ------
        TopologyError
            If the outage leaves a pair no path.
        """
        if len(source) <= _BLOCK_PAIRS:
            return self._of_block(source, target)
        blocks = [
            self._of_block(
                source[at : at + _BLOCK_PAIRS], target[at : at + _BLOCK_PAIRS]
            )
            for at in range(0, len(source), _BLOCK_PAIRS)
        ]
        longest = max(block.shape[1] for block in blocks)
        return np.concatenate(
            [
                np.pad(
                    block,
                    ((0, 0), (0, longest - block.shape[1])),
                    constant_values=NO_LINK,
                )
                for block in blocks
            ]
        )

    def hops(self, target: int) -> NDArray[np.int16]:
        """Return the hops of a minimal path from every chip to one, shape ``(chips,)``.

        They are negative where there is none.
        """
        row = self._row[target]
        if row < 0:
            row = self._rows_of(np.array([target]))[0]
        hops: NDArray[np.int16] = self._hops[row]
        return hops

    def _of_block(self, source: Ints, target: Ints) -> NDArray[np.int32]:
        """Return the minimal paths of a block of pairs."""
        links = self._links
        mixed = _mixed(
            source.astype(np.uint64) * np.uint64(0x9E3779B1)
            + target.astype(np.uint64) * np.uint64(0x85EBCA77)
        )
        direct = links.pick(source, target, mixed.astype(np.int64))
        rows = np.flatnonzero((direct == NO_LINK) & (source != target))
        if not len(rows):
            return direct[:, None]
        columns: list[NDArray[np.int32]] = []
        chip, end, mixed = source[rows], target[rows], mixed[rows]
        goal = self._rows_of(end)
        cut = np.flatnonzero(self._hops[goal, chip] < 0)
        if len(cut):
            raise TopologyError(
                f"chip {chip[cut[0]]} has no way to chip {end[cut[0]]}: "
                f"{len(self._outage.chips)} chips and {len(self._outage.links) // 2} "
                f"cables are out of order"
            )
        while len(rows):
            around = self._neighbours[chip]
            nearer = self._hops[goal[:, None], around] < self._hops[goal, chip][:, None]
            nearer &= around >= 0
            rank = mixed.astype(np.int64) % nearer.sum(axis=1)
            place = (np.cumsum(nearer, axis=1) == (rank + 1)[:, None]).argmax(axis=1)
            following = around[np.arange(len(rows)), place].astype(np.int64)
            mixed = _mixed(mixed)
            column = np.full(len(source), NO_LINK, dtype=np.int32)
            column[rows] = links.pick(chip, following, mixed.astype(np.int64))
            columns.append(column)
            mixed = _mixed(mixed)
            on = following != end
            rows, goal, mixed = rows[on], goal[on], mixed[on]
            chip, end = following[on], end[on]
        columns[0] = np.maximum(columns[0], direct)
        return np.stack(columns, axis=1)

    def _rows_of(self, goals: Ints) -> Ints:
        """Return the row of hops to each goal, after a search for missing goals."""
        missing = np.unique(goals[self._row[goals] < 0] // self._goals_together)
        group = np.arange(self._goals_together)
        wanted = missing[:, None] * self._goals_together + group
        wanted = wanted[wanted < self._topology.chips]
        size = max(1, _BLOCK_CELLS // self._topology.chips)
        for first in range(0, len(wanted), size):
            self._search(wanted[first : first + size])
        rows: Ints = self._row[goals]
        return rows

    def _search(self, goals: Ints) -> None:
        """Search the hops from every chip to each of `goals` and keep them."""
        end = self._searched + len(goals)
        if end > len(self._hops):
            most = min(2 * end, self._topology.chips)
            grown = np.empty((most, self._topology.chips), dtype=np.int16)
            grown[: self._searched] = self._hops[: self._searched]
            self._hops = grown
        hops = hop_counts(self._outage.adjacency(self._topology), goals.tolist())
        self._hops[self._searched : end] = hops.T
        self._row[goals] = np.arange(self._searched, end)
        self._searched = end

    @cached_property
    def _neighbours(self) -> NDArray[np.int32]:
        """Table of each chip's neighbours, ascending, -1 after the last."""
        topology = self._topology
        source, target = (
            ends[self._working].astype(np.int64)
            for ends in (topology.source, topology.target)
        )
        pairs = np.unique(source * topology.chips + target)
        chip, neighbour = np.divmod(pairs, topology.chips)
        count = np.bincount(chip, minlength=topology.chips)
        place = np.arange(len(chip)) - (np.cumsum(count) - count)[chip]
        table = np.full((topology.chips, int(count.max())), -1, dtype=np.int32)
        table[chip, place] = neighbour
        return table


def _mixed(number: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a 32-bit hash of each number.

    Multiply and shift, so that every input bit reaches the low bits, which decide the
    remainder.
    """
    number &= _MASK
    number = ((number ^ (number >> np.uint64(16))) * np.uint64(0x7FEB352D)) & _MASK
    number = ((number ^ (number >> np.uint64(15))) * np.uint64(0x846CA68B)) & _MASK
    return number ^ (number >> np.uint64(16))
