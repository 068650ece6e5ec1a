"""Link-disjoint paths between two chips, and the share of vectors each carries."""

from typing import NamedTuple

import numpy as np

from compiler.cost.link_timing import LinkTiming, vector_rate
from specs.arrays import Ints
from specs.machine import MachineSpec
from topologies.routing.minimal_paths import minimal_paths
from topologies.topology import Topology


class DisjointPath(NamedTuple):
    """A path and what its hops cost, without the vectors behind the first.

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
    """Return paths between two chips that share no link, the cheapest first.

    The minimal path, and for each other link of the source the minimal path from where
    it leads, unless that comes back or takes a link of a cheaper one.
    """
    first = np.array(topology.out_links(source), dtype=np.int64)
    via = topology.target[first].astype(np.int64)
    onward = minimal_paths(topology, via, np.full_like(via, target))
    ways = [
        (int(link), *(int(n) for n in row if n >= 0))
        for link, row in zip(first.tolist(), onward.tolist(), strict=True)
    ]
    (row,) = minimal_paths(topology, np.array([source]), np.array([target])).tolist()
    minimal = tuple(link for link in row if link >= 0)
    found = sorted(
        DisjointPath(_fixed_cycles(timing, way), way) for way in {*ways, minimal}
    )
    found.sort(key=lambda detour: detour.links != minimal)
    kept: list[DisjointPath] = []
    taken: set[int] = set()
    for detour in found:
        passed = {source, *topology.target[list(detour.links)].tolist()}
        if len(passed) <= len(detour.links) or taken & set(detour.links):
            continue
        kept.append(detour)
        taken |= set(detour.links)
    return kept


def shared_out(machine: MachineSpec, fixed_cycles: Ints, vectors: int) -> Ints:
    """Return the vectors of each path, such that the last is there soonest.

    Parameters
    ----------
    machine
        The line rate.
    fixed_cycles
        What each path costs, ascending, shape ``(paths,)``.
    vectors
        Vectors to share out, at least one.
    """
    low, high = int(fixed_cycles[0]), int(fixed_cycles[0])
    while _there(machine, fixed_cycles, high).sum() < vectors:
        high += max(1, high)
    while low < high:
        middle = (low + high) // 2
        if _there(machine, fixed_cycles, middle).sum() < vectors:
            low = middle + 1
        else:
            high = middle
    share = _there(machine, fixed_cycles, low)
    # What is more than needed is taken from the most expensive paths.
    above = np.cumsum(share) - vectors
    return np.clip(share - np.maximum(above, 0), 0, None)


def _there(machine: MachineSpec, fixed_cycles: Ints, within_cycles: int) -> Ints:
    """Return the vectors that each path brings within some cycles."""
    bits, per_cycle = vector_rate(machine)
    left = within_cycles - fixed_cycles
    return np.where(left >= 0, left * per_cycle // bits + 1, 0)


def _fixed_cycles(timing: LinkTiming, links: tuple[int, ...]) -> int:
    flight = int(timing.latency_cycles[list(links)].sum())
    return (
        flight
        + len(links) * timing.guard_cycles
        + (len(links) - 1) * timing.pass_cycles
    )
