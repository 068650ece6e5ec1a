"""Start alignment as SimPy processes: the chips begin at the same HAC count.

The root DESKEWs to an epoch edge of its HAC and TRANSMITs down the spanning tree. Each
chip that receives the vector DESKEWs to its next epoch edge and transmits on, some
cycles later if the vector might otherwise arrive on either side of an edge. A level
takes floor(L / epoch) + 1 epochs. Chips further up wait for the deepest one, so that
all begin at one count. SYNC and NOTIFY then release all queues of a chip.
"""

from collections.abc import Collection
from typing import final

import simpy
from simpy.events import ProcessGenerator

from fabric.clocks.crystals import Crystals
from fabric.clocks.start_propagation import Start, StartPropagation
from specs.errors import ScheduleError


@final
class Alignment:
    """Chips of a machine that align their start.

    Parameters
    ----------
    env
        SimPy environment.
    propagation
        Spanning tree and delays of the start.
    crystals
        Clocks and aligned counters.
    dead_chips, dead_links
        Chips that have stopped, and directed links that are dead, though they belong to
        the tree.
    """

    def __init__(
        self,
        env: simpy.Environment,
        propagation: StartPropagation,
        crystals: Crystals,
        *,
        dead_chips: Collection[int] = (),
        dead_links: Collection[int] = (),
    ) -> None:
        self._env = env
        self._propagation = propagation
        self._machine = propagation.machine
        self._crystals = crystals
        self._tree = propagation.tree
        self._dead_chips = frozenset(dead_chips)
        self._dead_links = frozenset(dead_links)
        self._latency_ps = propagation.latency_ps.tolist()
        self._transmit_cycles = propagation.transmit_cycles.tolist()
        self._waiting_epochs = propagation.waiting_epochs.tolist()
        self._members = propagation.members.tolist()
        chips = len(self._latency_ps)
        self._children: list[list[int]] = [[] for _ in range(chips)]
        for chip, parent in enumerate(self._tree.parent.tolist()):
            if parent >= 0:
                self._children[parent].append(chip)
        self._released_count = [0] * chips
        self._begin_cycle = [0] * chips
        self._begun: set[int] = set()
        self._events = 0

    def run(self, from_ps: int = 0) -> Start:
        """Return the start of all chips.

        Parameters
        ----------
        from_ps
            Global time from which the root waits for an epoch edge.

        Raises
        ------
        ScheduleError
            If a chip of the tree never receives the start; the message names the cause.
        """
        self._env.process(self._chip(self._tree.root, from_ps))
        self._env.run()
        self._check_all_begun()
        epoch = self._machine.hac.epoch_cycles
        root = self._crystals.counters[self._tree.root]
        first_edge = root.count_at(from_ps) // epoch + 1
        clocks = self._crystals.clocks.each
        last_ps = max(
            clocks[chip].edge_ps(self._begin_cycle[chip]) for chip in self._members
        )
        return Start(
            cycle=tuple(self._begin_cycle),
            count=self._propagation.count(first_edge * epoch),
            epochs=max(self._released_count) // epoch - first_edge,
            duration_ps=last_ps - self._crystals.root.edge_ps(first_edge * epoch),
            events=self._events,
        )

    def _check_all_begun(self) -> None:
        """Raise ScheduleError if a chip has not begun."""
        waiting = [chip for chip in self._members if chip not in self._begun]
        if not waiting:
            return
        # The chip nearest to the root: the others wait for it, or for one like it.
        chip = min(waiting, key=lambda chip: int(self._tree.depth[chip]))
        if chip == self._tree.root:
            raise ScheduleError(
                f"chip {chip}, the root of the start, is dead, and the other "
                f"{len(waiting) - 1} chips wait for it: take another root"
            )
        parent = int(self._tree.parent[chip])
        link = int(self._tree.parent_link[chip])
        cause = (
            f"chip {chip} is dead"
            if chip in self._dead_chips
            else f"link {link} is dead"
        )
        raise ScheduleError(
            f"chip {chip} waits for the start from chip {parent} on link {link}, which "
            f"never comes: {cause}; {len(waiting)} of {len(self._members)} chips have "
            f"not begun; align over a tree without it"
        )

    def _chip(self, chip: int, arrival_ps: int) -> ProcessGenerator:
        """Wait for the vector, DESKEW to the next epoch edge, transmit, begin."""
        if chip in self._dead_chips:
            return
        env, epoch = self._env, self._machine.hac.epoch_cycles
        clock = self._crystals.clocks.each[chip]
        counter = self._crystals.counters[chip]
        yield env.timeout(arrival_ps - int(env.now))
        edge = (counter.count_at(int(env.now)) // epoch + 1) * epoch
        cycle = counter.start_cycle(clock, edge)
        yield env.timeout(max(0, clock.edge_ps(cycle) - int(env.now)))
        self._events += 2
        for child in self._children[chip]:
            if int(self._tree.parent_link[child]) not in self._dead_links:
                sent_ps = clock.edge_ps(cycle + self._transmit_cycles[child])
                env.process(self._chip(child, sent_ps + self._latency_ps[child]))
        released = edge + self._waiting_epochs[chip] * epoch
        self._released_count[chip] = released
        begin = released + self._machine.chip.sync_cycles
        self._begin_cycle[chip] = counter.start_cycle(clock, begin)
        self._begun.add(chip)
