"""Start propagation: the synchronous start down the spanning tree, as arrays."""

from dataclasses import dataclass
from typing import final

import numpy as np

from fabric.clocks.alignment_epochs import level_delays
from fabric.clocks.crystals import Crystals
from fabric.links.latency import Jitter, least_latency_ps
from fabric.random_streams import Draws, Stream
from specs.arrays import Ints
from specs.machine import MachineSpec
from topologies.routing.spanning_tree import SpanningTree
from topologies.topology import Topology


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Start of a program on all chips, the result of start propagation.

    Parameters
    ----------
    cycle
        Cycle of each chip's crystal at which its program begins, in chip order; 0 for
        chips outside the spanning tree.
    count
        HAC count of program cycle 0.
    epochs
        Epochs from the root's transmission until all chips are released.
    duration_ps
        Global time from the root's transmission until the last chip begins.
    events
        Waits of all chips together: each waits for its vector, then for an edge.
    """

    cycle: tuple[int, ...]
    count: int
    epochs: int
    duration_ps: int
    events: int


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StartPropagation:
    """Delays of start propagation, fixed before the root transmits.

    Parameters
    ----------
    machine, tree
        Epoch and SYNC cycles, and the parent of each chip.
    latency_ps
        Latency of the vector to each chip, shape ``(chips,)``; meaningless for the
        root, and for chips outside the tree.
    transmit_cycles
        Cycles from an epoch edge of each chip's parent to its transmission.
    waiting_epochs
        Epochs of DESKEW of each chip, so that the deepest one catches up.
    total_epochs
        Epochs from the root's transmission until all chips are released.
    """

    machine: MachineSpec
    tree: SpanningTree
    latency_ps: Ints
    transmit_cycles: Ints
    waiting_epochs: Ints
    total_epochs: int

    @property
    def members(self) -> Ints:
        """Return the chips that the tree reaches, ascending."""
        return np.flatnonzero(self.tree.depth >= 0)

    def start(self, crystals: Crystals, from_ps: int) -> Start:
        """Return the start of a machine without faults.

        The integers are those of `fabric.simpy_engine.start_alignment`, computed by
        level of the tree instead of event by event.

        Parameters
        ----------
        crystals
            Clocks and aligned counters.
        from_ps
            Global time from which the root waits for an epoch edge.
        """
        epoch, tree = self.machine.hac.epoch_cycles, self.tree
        edge = np.zeros(len(tree.parent), dtype=np.int64)
        edge_cycle = edge.copy()
        for depth in range(tree.height + 1):
            level = np.flatnonzero(tree.depth == depth)
            heard_ps = np.full(len(level), from_ps, dtype=np.int64)
            if depth:
                parent = tree.parent[level].astype(np.int64)
                sent = edge_cycle[parent] + self.transmit_cycles[level]
                sent_ps = crystals.clocks.edges_ps(parent, sent)
                heard_ps = sent_ps + self.latency_ps[level]
            edge[level] = (crystals.counts_at(level, heard_ps) // epoch + 1) * epoch
            edge_cycle[level] = crystals.start_cycles(level, edge[level])
        members = self.members
        released = edge + self.waiting_epochs * epoch
        begin = np.zeros_like(edge)
        begin[members] = crystals.start_cycles(
            members, released[members] + self.machine.chip.sync_cycles
        )
        last_ps = crystals.clocks.edges_ps(members, begin[members]).max()
        first_edge = int(edge[tree.root])
        return Start(
            cycle=tuple(begin.tolist()),
            count=self.count(first_edge),
            epochs=(int(released[members].max()) - first_edge) // epoch,
            duration_ps=int(last_ps) - crystals.root.edge_ps(first_edge),
            events=2 * len(members),
        )

    def count(self, first_edge: int) -> int:
        """Return the HAC count of program cycle 0, from the root's first epoch edge."""
        epochs = self.total_epochs * self.machine.hac.epoch_cycles
        return first_edge + epochs + self.machine.chip.sync_cycles


def propagate_start(
    machine: MachineSpec, topology: Topology, tree: SpanningTree, draws: Draws
) -> StartPropagation:
    """Return the delays of start propagation down the tree of aligned clocks.

    Raises
    ------
    ScheduleError
        If starts arrive over more than an epoch.
    """
    # The root has no parent, and a machine of one chip no link.
    below = np.flatnonzero(tree.parent >= 0)
    links = tree.parent_link[below]
    latency_ps = np.zeros(len(tree.parent), dtype=np.int64)
    latency_ps[below] = least_latency_ps(machine, topology)[links]
    bits = draws.bits(Stream.START_JITTER, np.arange(len(tree.parent)))
    latency_ps[below] += Jitter(machine, topology).ps(links, bits[below])
    delays = level_delays(machine, topology, tree)
    path_epochs = delays.epochs.copy()
    for depth in range(1, tree.height + 1):
        level = np.flatnonzero(tree.depth == depth)
        path_epochs[level] += path_epochs[tree.parent[level]]
    total_epochs = delays.per_level * tree.height
    return StartPropagation(
        machine=machine,
        tree=tree,
        latency_ps=latency_ps,
        transmit_cycles=delays.transmit_cycles,
        waiting_epochs=total_epochs - path_epochs,
        total_epochs=total_epochs,
    )
