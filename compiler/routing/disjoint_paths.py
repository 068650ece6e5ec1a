"""Link-disjoint paths between two chips, and the share of vectors each carries."""

from typing import NamedTuple

import numpy as np

from compiler.cost.link_timing import LinkTiming, vector_rate
from specs.arrays import Ints
from specs.machine import MachineSpec
from topologies.routing.minimal_paths import minimal_paths
from topologies.topology import Topology


class DisjointPath(NamedTuple):
    """Path and its latency, without the vectors behind the first.

    Attributes
    ----------
    fixed_cycles
        From the first vector on the first wire until it leaves the last FIFO.
    links
        Directed links in order.
    """

    fixed_cycles: int
    links: tuple[int, ...]


def disjoint_paths(
    topology: Topology, timing: LinkTiming, source: int, target: int
) -> list[DisjointPath]:
    """Return link-disjoint paths to route a message over, the minimal path first.

    The others start with another link of the source and continue on the minimal path
    from its end, unless that returns or uses a link of a cheaper path.
    """
    first = np.array(topology.out_links(source), dtype=np.int64)
    via = topology.target[first].astype(np.int64)
    onward = minimal_paths(topology, via, np.full_like(via, target))
    onward_paths = [
        (int(link), *(int(n) for n in row if n >= 0))
        for link, row in zip(first.tolist(), onward.tolist(), strict=True)
    ]
    (row,) = minimal_paths(topology, np.array([source]), np.array([target])).tolist()
    minimal = tuple(link for link in row if link >= 0)
    paths = sorted(
        DisjointPath(_fixed_cycles(timing, links), links)
        for links in {*onward_paths, minimal}
    )
    paths.sort(key=lambda path: path.links != minimal)
    disjoint: list[DisjointPath] = []
    used: set[int] = set()
    for path in paths:
        passed = {source, *topology.target[list(path.links)].tolist()}
        if len(passed) <= len(path.links) or used & set(path.links):
            continue
        disjoint.append(path)
        used |= set(path.links)
    return disjoint


def vectors_per_path(machine: MachineSpec, fixed_cycles: Ints, vectors: int) -> Ints:
    """Return the vectors to route over each path such that the last arrives soonest.

    Parameters
    ----------
    machine
        The line rate.
    fixed_cycles
        Latency of each path, ascending, shape ``(paths,)``.
    vectors
        Vectors to distribute, at least one.
    """
    low, high = int(fixed_cycles[0]), int(fixed_cycles[0])
    while _delivered(machine, fixed_cycles, high).sum() < vectors:
        high += max(1, high)
    while low < high:
        middle = (low + high) // 2
        if _delivered(machine, fixed_cycles, middle).sum() < vectors:
            low = middle + 1
        else:
            high = middle
    share = _delivered(machine, fixed_cycles, low)
    # The excess is taken from the most expensive paths.
    above = np.cumsum(share) - vectors
    return np.clip(share - np.maximum(above, 0), 0, None)


def _delivered(machine: MachineSpec, fixed_cycles: Ints, within_cycles: int) -> Ints:
    """Return the vectors that each path delivers within some cycles."""
    bits, per_cycle = vector_rate(machine)
    left = within_cycles - fixed_cycles
    return np.where(left >= 0, left * per_cycle // bits + 1, 0)


def _fixed_cycles(timing: LinkTiming, links: tuple[int, ...]) -> int:
    """Return the latency of a path: its links, guard bands and relay hops."""
    flight = int(timing.latency_cycles[list(links)].sum())
    return (
        flight
        + len(links) * timing.guard_cycles
        + (len(links) - 1) * timing.pass_cycles
    )
