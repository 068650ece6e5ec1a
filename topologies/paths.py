"""Minimal paths of many pairs at once: what `Routes` finds, as arrays."""

import numpy as np
from numpy.typing import NDArray

from topologies.hops import hop_counts
from topologies.topology import Topology

Ints = NDArray[np.int64]

NO_LINK = -1
_MASK = np.uint64(2**32 - 1)
# Pairs that are walked together: bounds the table of neighbours looked at to 100 MB.
_BLOCK_PAIRS = 2**20
# Chips times goals searched together: bounds two dense float32 matrices to 64 MB each.
_BLOCK_CELLS = 2**24


def minimal_paths(topology: Topology, source: Ints, target: Ints) -> NDArray[np.int32]:
    """Return the links from each source to its target, as `Routes.path` does.

    All pairs advance together, hop by hop, so that a pair costs a microsecond.

    Parameters
    ----------
    topology
        The wiring. Every chip forwards, active or not.
    source, target
        Chips, shape ``(pairs,)``.

    Returns
    -------
    NDArray
        Directed links in order, ``NO_LINK`` after the last one, shape
        ``(pairs, longest path)``.

    Examples
    --------
    >>> from topologies.node import node_topology
    >>> minimal_paths(node_topology(), np.array([0, 1]), np.array([1, 1])).tolist()
    [[0], [-1]]
    """
    found = [
        _paths_of_block(
            topology, source[at : at + _BLOCK_PAIRS], target[at : at + _BLOCK_PAIRS]
        )
        for at in range(0, max(1, len(source)), _BLOCK_PAIRS)
    ]
    longest = max(block.shape[1] for block in found)
    return np.concatenate(
        [
            np.pad(
                block,
                ((0, 0), (0, longest - block.shape[1])),
                constant_values=NO_LINK,
            )
            for block in found
        ]
    )


class LinksOfPairs:
    """The cables from one chip to another, looked up for many pairs at once.

    Parameters
    ----------
    topology
        The wiring.
    """

    def __init__(self, topology: Topology) -> None:
        self._chips = topology.chips
        keys = topology.source.astype(np.int64) * self._chips + topology.target
        self._order = np.argsort(keys, kind="stable").astype(np.int32)
        self._keys = keys[self._order]

    def pick(self, source: Ints, target: Ints, number: Ints) -> NDArray[np.int32]:
        """Return cable `number`, modulo how many there are; ``NO_LINK`` if none."""
        key = source * self._chips + target
        first = np.searchsorted(self._keys, key, "left")
        count = np.searchsorted(self._keys, key, "right") - first
        at = first + number % np.maximum(count, 1)
        picked = self._order[np.minimum(at, len(self._order) - 1)]
        return np.where(count > 0, picked, np.int32(NO_LINK))


def _paths_of_block(
    topology: Topology, source: Ints, target: Ints
) -> NDArray[np.int32]:
    links = LinksOfPairs(topology)
    mixed = _mixed(
        source.astype(np.uint64) * np.uint64(0x9E3779B1)
        + target.astype(np.uint64) * np.uint64(0x85EBCA77)
    )
    direct = links.pick(source, target, mixed.astype(np.int64))
    rows = np.flatnonzero((direct == NO_LINK) & (source != target))
    columns: list[NDArray[np.int32]] = []
    goals, goal = np.unique(target[rows], return_inverse=True)
    hops = _hops_to(topology, goals)
    neighbours = _neighbours(topology)
    chip, end, mixed = source[rows], target[rows], mixed[rows]
    while len(rows):
        around = neighbours[chip]
        nearer = hops[around, goal[:, None]] < hops[chip, goal][:, None]
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
    if not columns:
        return direct[:, None]
    columns[0] = np.maximum(columns[0], direct)
    return np.stack(columns, axis=1)


def _hops_to(topology: Topology, goals: Ints) -> NDArray[np.int16]:
    """Return the hops from each chip to each goal, shape ``(chips, goals)``."""
    found = [
        hop_counts(topology.adjacency(), block)
        for block in _blocks(goals.tolist(), topology.chips)
    ]
    none = np.zeros((topology.chips, 0), dtype=np.int16)
    return np.concatenate([none, *found], axis=1)


def _blocks(goals: list[int], chips: int) -> list[list[int]]:
    """Return `goals` cut into runs that can be searched together."""
    size = max(1, _BLOCK_CELLS // chips)
    return [goals[first : first + size] for first in range(0, len(goals), size)]


def _neighbours(topology: Topology) -> NDArray[np.int32]:
    """Return each chip's neighbours, ascending, -1 after the last."""
    pairs = np.unique(
        topology.source.astype(np.int64) * topology.chips + topology.target
    )
    chip, neighbour = np.divmod(pairs, topology.chips)
    count = np.bincount(chip, minlength=topology.chips)
    place = np.arange(len(chip)) - (np.cumsum(count) - count)[chip]
    table = np.full((topology.chips, int(count.max())), -1, dtype=np.int32)
    table[chip, place] = neighbour
    return table


def _mixed(number: NDArray[np.uint64]) -> NDArray[np.uint64]:
    # The numbers of `topologies.routes`, so that both name the same path.
    number &= _MASK
    number = ((number ^ (number >> np.uint64(16))) * np.uint64(0x7FEB352D)) & _MASK
    number = ((number ^ (number >> np.uint64(15))) * np.uint64(0x846CA68B)) & _MASK
    return number ^ (number >> np.uint64(16))
