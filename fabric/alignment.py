"""Start of a run: how the chips of a machine come to begin in the same epoch.

The root DESKEWs to an epoch edge of its HAC and TRANSMITs down the spanning tree; each
chip that receives the vector DESKEWs to its next epoch edge and transmits on. A level
costs floor(L / epoch) + 1 epochs. Chips further up wait for the deepest one, so that
all begin at one count; SYNC and NOTIFY then release all queues of a chip.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
import simpy
from numpy.typing import NDArray
from simpy.events import ProcessGenerator

from chip.hac import alignment_epochs
from fabric.assembly import Crystals, jitter_ps, least_latency_ps
from fabric.draws import Draws, Stream
from specs.errors import ScheduleError
from specs.machine import MachineSpec
from specs.units import PS_PER_S
from topologies.topology import Topology
from topologies.tree import SpanningTree


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The start that an alignment has led to.

    Parameters
    ----------
    cycle
        Cycle of each chip's crystal at which its program begins, in chip order.
    count
        HAC count that stands for program cycle 0.
    epochs
        Epochs from the root's transmission until all chips are released.
    duration_ps
        Global time from the root's transmission until the last chip begins.
    """

    cycle: tuple[int, ...]
    count: int
    epochs: int
    duration_ps: int


def level_epochs(
    machine: MachineSpec, topology: Topology, tree: SpanningTree
) -> tuple[NDArray[np.int64], int]:
    """Return the epochs that each chip's link to its parent costs, and a level's.

    Raises
    ------
    ScheduleError
        If the latency of a link may lie on either side of an epoch edge, so that a
        start would be an epoch late by chance.
    """
    epoch = machine.hac.epoch_cycles
    least = np.zeros(len(tree.parent), dtype=np.int64)
    below = tree.parent >= 0
    link = tree.parent_link[below]
    least_ps = least_latency_ps(machine, topology)[link]
    least[below] = -(-least_ps * machine.chip.clock_hz // PS_PER_S)
    # A counter may be off by what tracking allows on this level, and its counts are
    # whole.
    slack = machine.hac.tracking_error_counts + 1
    most = least + machine.link.jitter_cycles
    epochs = np.where(below, most // epoch + 1, 0)
    split = below & ((most + slack) // epoch > np.maximum(least - slack, 0) // epoch)
    if split.any():
        chip = int(np.flatnonzero(split)[0])
        raise ScheduleError(
            f"the link to chip {chip} takes {least[chip]} to {most[chip]} cycles, and "
            f"an epoch edge of {epoch} cycles lies between (counters may be off by "
            f"{slack}): set hac.epoch_cycles above {int(most.max()) + slack}"
        )
    longest = int(most.max(initial=0))
    return epochs, alignment_epochs(longest, epoch, 1)


@final
class Alignment:
    """The chips of a machine while they agree on when to begin.

    Parameters
    ----------
    env
        The simulation.
    machine, topology
        Epoch, cycles that SYNC takes, and latencies.
    tree
        Who transmits to whom.
    crystals
        Clocks and aligned counters.
    draws
        The jitter of each transmission.
    """

    def __init__(
        self,
        env: simpy.Environment,
        machine: MachineSpec,
        topology: Topology,
        *,
        tree: SpanningTree,
        crystals: Crystals,
        draws: Draws,
    ) -> None:
        chips = np.arange(len(tree.parent))
        keys = draws.keys(Stream.START_JITTER, chips)
        jitter = jitter_ps(machine, draws.bits(Stream.START_JITTER, keys, 0))
        latency_ps = jitter + np.where(
            tree.parent >= 0, least_latency_ps(machine, topology)[tree.parent_link], 0
        )
        own_epochs, per_level = level_epochs(machine, topology, tree)
        path_epochs = own_epochs.copy()
        for depth in range(1, tree.height + 1):
            level = np.flatnonzero(tree.depth == depth)
            path_epochs[level] += path_epochs[tree.parent[level]]
        self._env = env
        self._machine = machine
        self._crystals = crystals
        self._root = tree.root
        self._latency_ps = latency_ps.tolist()
        self._total_epochs = per_level * tree.height
        # What each chip DESKEWs on for, so that the deepest one catches up.
        self._waiting_epochs = (self._total_epochs - path_epochs).tolist()
        self._children: list[list[int]] = [[] for _ in chips]
        for chip, parent in enumerate(tree.parent.tolist()):
            if parent >= 0:
                self._children[parent].append(chip)
        self._released_count = [0] * len(chips)
        self._begin_cycle = [0] * len(chips)
        self.events = 0

    def run(self, from_ps: int = 0) -> Start:
        """Return when each chip begins, once all have been told.

        Parameters
        ----------
        from_ps
            Global time from which the root waits for an epoch edge.
        """
        self._env.process(self._chip(self._root, from_ps))
        self._env.run()
        epoch = self._machine.hac.epoch_cycles
        root = self._crystals.counters[self._root]
        first_edge = root.count_at(from_ps) // epoch + 1
        clocks = self._crystals.clocks
        last_ps = max(
            clock.edge_ps(cycle)
            for clock, cycle in zip(clocks, self._begin_cycle, strict=True)
        )
        return Start(
            cycle=tuple(self._begin_cycle),
            count=(first_edge + self._total_epochs) * epoch
            + self._machine.chip.sync_cycles,
            epochs=max(self._released_count) // epoch - first_edge,
            duration_ps=last_ps - self._crystals.root.edge_ps(first_edge * epoch),
        )

    def _chip(self, chip: int, arrival_ps: int) -> ProcessGenerator:
        """Wait for the vector, DESKEW to the next epoch edge, transmit, begin."""
        env, epoch = self._env, self._machine.hac.epoch_cycles
        clock = self._crystals.clocks[chip]
        counter = self._crystals.counters[chip]
        yield env.timeout(arrival_ps - int(env.now))
        edge = (counter.count_at(int(env.now)) // epoch + 1) * epoch
        transmit_ps = clock.edge_ps(counter.start_cycle(clock, edge))
        yield env.timeout(max(0, transmit_ps - int(env.now)))
        self.events += 2
        for child in self._children[chip]:
            env.process(self._chip(child, transmit_ps + self._latency_ps[child]))
        released = edge + self._waiting_epochs[chip] * epoch
        self._released_count[chip] = released
        begin = released + self._machine.chip.sync_cycles
        self._begin_cycle[chip] = counter.start_cycle(clock, begin)
