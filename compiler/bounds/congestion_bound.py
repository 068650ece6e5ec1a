"""Congestion bound: the least cycles of messages, from the links that they share.

No reservation table is kept. A link that several messages use is busy for each of them
in turn: the first can be there no sooner than its path allows, and the last has the
rest of its path still ahead.
"""

from typing import final

import numpy as np

from compiler.cost.guard_band import Tolerance
from compiler.cost.link_timing import (
    LinkTiming,
    link_timing,
    serialisation_cycles,
    vectors_of,
)
from compiler.ir.messages import MessageTable
from compiler.ir.transfers import Transport, trainless
from compiler.routing.striping import striped
from specs.arrays import Ints
from specs.machine import MachineSpec
from topologies.routing.minimal_paths import NO_LINK, MinimalPaths
from topologies.routing.parallel_links import Lanes
from topologies.routing.spanning_tree import alignment_tree
from topologies.topology import Topology

# Paths of all pairs are kept up to so many chips: 20 MB and two seconds.
_MOST_KEPT_CHIPS = 800
# Groups are evaluated in order, and a path search for the chips of a node costs little
# more than one for a chip.
_GOALS_TOGETHER = 64


@final
class CongestionBound:
    """Congestion bound on phases of messages; a transfer model for timelines.

    Parameters
    ----------
    topology, machine
        Where messages travel; every cable and chip works.
    timing
        The links, with the smallest guard band that a schedule may have.

    Attributes
    ----------
    topology
        The topology.
    """

    def __init__(
        self, topology: Topology, machine: MachineSpec, timing: LinkTiming
    ) -> None:
        self.topology = topology
        self._machine = machine
        self._timing = timing
        self._lanes = Lanes(topology)
        few = len(topology.source) <= np.iinfo(np.uint16).max
        self._link_type = np.uint16 if few else np.int64
        self._minimal = MinimalPaths(topology, goals_together=_GOALS_TOGETHER)
        self._all_paths: Ints | None = None
        self._line_cycles: dict[int, int] = {}
        self._transports: dict[MessageTable, Transport] = {}

    def transport(self, messages: MessageTable) -> Transport:
        """Return a transport without trains that lasts as long as `cycles` says."""
        if messages not in self._transports:
            self._transports[messages] = trainless(self.cycles(messages))
        return self._transports[messages]

    def cycles(self, messages: MessageTable) -> int:
        """Return a lower bound on the cycles in which `messages` are carried.

        Parameters
        ----------
        messages
            Messages that start together, none from a chip to itself.
        """
        if not len(messages):
            return 0
        vectors = self._vectors(messages.payload_bytes)
        paths = messages.paths(self._paths)
        if messages.path is None and self._machine.link.stripe_cables > 1:
            sent = striped(self._lanes, self._machine, paths, vectors)
            paths, vectors = sent.path.astype(np.int64), sent.vectors
        timing = self._timing
        taken = paths != NO_LINK
        longest = int(taken.any(axis=0).sum())
        paths, taken = paths[:, :longest], taken[:, :longest]
        hop_cycles = np.where(
            taken, timing.latency_cycles[paths] + timing.guard_cycles, 0
        )
        # A vector passes through every chip between two hops.
        passed = taken[:, 1:] * timing.pass_cycles
        step_cycles = hop_cycles.copy()
        step_cycles[:, :-1] += passed
        until = np.cumsum(step_cycles, axis=1)
        whole = timing.send_cycles + until[:, -1] + timing.receive_cycles
        line, tail = self._serialised(vectors)
        whole = whole + tail
        ready = timing.send_cycles + until - step_cycles
        link = paths[taken]
        line = np.broadcast_to(line[:, None], paths.shape)[taken]
        # Narrow numbers are sorted by radix, in a tenth of the time.
        order = np.argsort(link.astype(self._link_type), kind="stable")
        starts = np.flatnonzero(np.diff(link[order], prepend=-1))
        first = np.minimum.reduceat(ready[taken][order], starts)
        rest = np.minimum.reduceat((whole[:, None] - ready)[taken][order], starts)
        line = line[order]
        busy = np.add.reduceat(line, starts) - np.maximum.reduceat(line, starts)
        return int(max(whole.max(), (first + busy + rest).max()))

    def _paths(self, source: Ints, target: Ints) -> Ints:
        """Return the links of a minimal path of each message, shape ``(n, hops)``."""
        chips = self.topology.chips
        if chips > _MOST_KEPT_CHIPS:
            return self._minimal.of(source, target).astype(np.int64)
        if self._all_paths is None:
            pairs = np.divmod(np.arange(chips**2), chips)
            self._all_paths = self._minimal.of(*pairs).astype(np.int64)
        paths: Ints = self._all_paths[source * chips + target]
        return paths

    def _vectors(self, payload_bytes: Ints) -> Ints:
        """Return the vectors of each message."""
        sizes, row = np.unique(payload_bytes, return_inverse=True)
        vectors = [vectors_of(self._machine, int(size)) for size in sizes]
        counted: Ints = np.array(vectors, dtype=np.int64)[row]
        return counted

    def _serialised(self, vectors: Ints) -> tuple[Ints, Ints]:
        """Return the cycles of trains on a wire, whole and without the first vector."""
        sizes, row = np.unique(vectors, return_inverse=True)
        counts = sizes.tolist()
        for count in {*counts, *(v - 1 for v in counts)} - self._line_cycles.keys():
            self._line_cycles[count] = serialisation_cycles(self._machine, count)
        line = np.array([self._line_cycles[v] for v in counts], dtype=np.int64)
        tail = np.array([self._line_cycles[v - 1] for v in counts], dtype=np.int64)
        return line[row], tail[row]


def congestion_bound(
    machine: MachineSpec, topology: Topology, leader: int
) -> CongestionBound:
    """Return the congestion bound with the smallest guard band of any schedule.

    Parameters
    ----------
    machine, topology
        Where messages travel.
    leader
        Root of the tree along which chips are aligned.
    """
    return CongestionBound(
        topology, machine, least_link_timing(machine, topology, leader)
    )


def least_link_timing(
    machine: MachineSpec, topology: Topology, leader: int
) -> LinkTiming:
    """Return the timing of links with the least guard band, for lower bounds."""
    tree = alignment_tree(topology, machine, leader)
    tolerance = Tolerance(machine=machine, tree_height=tree.height)
    epochs = machine.deskew.interval_epochs
    interval_cycles = 0 if epochs == "auto" else tolerance.checked_interval(epochs)
    guard_cycles = tolerance.guard_cycles(interval_cycles)
    return link_timing(topology, machine, guard_cycles)
