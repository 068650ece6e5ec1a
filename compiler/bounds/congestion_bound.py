"""Congestion bound: the least cycles of messages, from the links that they share.

No reservation table is kept. A link that several messages use is busy for each of them
in turn: the first can be there no sooner than its path allows, and the last has the
rest of its path still ahead.
"""

from typing import final

import numpy as np
from numpy.typing import NDArray

from compiler.bounds.routed_messages import RoutedMessages
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
from specs.units import ceil_div
from topologies.outage import NO_OUTAGE
from topologies.routing.breadth_first import hop_counts
from topologies.routing.minimal_paths import MinimalPaths
from topologies.routing.parallel_links import Lanes
from topologies.routing.spanning_tree import alignment_tree
from topologies.topology import Topology

# Paths of all pairs are kept up to so many chips: 20 MB and two seconds.
_MOST_KEPT_CHIPS = 800
# Hops of all pairs are known up to so many chips: 17 MB.
_MOST_HOP_COUNTS = 2880
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
        self._hops: NDArray[np.int16] | None = None
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
        routed = self.routed(messages)
        if routed is None:
            paths = messages.paths(self._paths)
            sent = striped(self._lanes, self._machine, paths, vectors)
            routed, vectors = self._of_paths(sent.path.astype(np.int64)), sent.vectors
        return routed.cycles(*self._serialised(vectors))

    def routed(self, messages: MessageTable) -> RoutedMessages | None:
        """Return the links of messages for any payloads, None if these are striped.

        Parameters
        ----------
        messages
            Messages that start together, whose payloads do not matter.
        """
        striping = messages.path is None and self._machine.link.stripe_cables > 1
        if striping and self._lanes.any_parallel:
            return None
        return self._of_paths(messages.paths(self._paths))

    def payload_cycles(self, routed: RoutedMessages, payload_bytes: Ints) -> int:
        """Return `cycles` of messages whose links are known.

        Parameters
        ----------
        routed, payload_bytes
            Links of the messages, and size of each payload, shape ``(messages,)``.
        """
        return routed.cycles(*self._serialised(self._vectors(payload_bytes)))

    def hops(self, chips: Ints) -> NDArray[np.int16] | None:
        """Return the hops from each of some chips to each, shape ``(chips, chips)``.

        None on machines too large to know them all.
        """
        if self.topology.chips > _MOST_HOP_COUNTS:
            return None
        if self._hops is None:
            every = range(self.topology.chips)
            self._hops = hop_counts(NO_OUTAGE.adjacency(self.topology), every)
        between: NDArray[np.int16] = self._hops[np.ix_(chips, chips)]
        return between

    def hop_cycles(self, hops: int, payload_bytes: int) -> int:
        """Return a lower bound on the cycles of a payload over so many hops.

        The chips between pass it on at once, or store it and send it again.
        """
        timing, machine = self._timing, self._machine
        vectors = vectors_of(machine, payload_bytes)
        train = ceil_div(vectors, machine.link.stripe_cables)
        ends = timing.send_cycles + timing.receive_cycles
        hop = int(timing.latency_cycles.min()) + timing.guard_cycles
        between = min(timing.pass_cycles, ends)
        tail = serialisation_cycles(machine, train - 1)
        return ends + hops * hop + (hops - 1) * between + tail

    def _of_paths(self, paths: Ints) -> RoutedMessages:
        """Return messages on given paths."""
        return RoutedMessages(paths, self._timing, self._link_type)

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
        """Return the vectors of each message, at least one: no message is empty."""
        vector_bytes = self._machine.link.vector_bytes
        counted: Ints = np.maximum(1, -(-payload_bytes // vector_bytes))
        return counted

    def _serialised(self, vectors: Ints) -> tuple[Ints, Ints]:
        """Return the cycles of trains on a wire, whole and without the first vector."""
        line = self._machine.line
        return line.offsets_cycles(vectors), line.offsets_cycles(vectors - 1)


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
