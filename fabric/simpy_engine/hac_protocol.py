"""HAC protocol as SimPy processes: bring-up, adoption and tracking, event by event.

It is the reference for `fabric.clocks.hac_tracking`, which computes the same integers
as arrays and is what a run uses; `tests/fabric/simpy_engine/test_hac_protocol.py`
compares every counter of both after every window.

Every chip counts with its own crystal. A parent sends its counter, which shows 0 at an
epoch edge. A child reads its own counter modulo the epoch when the value arrives. Only
a `Clock` converts cycles to simulated time.
"""

from collections.abc import Sequence
from typing import NamedTuple, final

import numpy as np
import simpy
from numpy.typing import NDArray
from simpy.events import ProcessGenerator

from fabric.clocks.alignment_epochs import level_delays
from fabric.clocks.clock import Clock
from fabric.clocks.hac import (
    added_rates,
    bring_up_settled,
    half_round_trip,
    rate_per_epoch,
    wrapped_difference,
)
from fabric.clocks.link_bring_up import LANES, lane_bits, spacing_epochs
from fabric.links.latency import Jitter, least_latency_ps
from fabric.random_streams import Draws, Stream
from fabric.simpy_engine.tracking_counter import MeasuredLink, TrackingCounter
from specs.machine import MachineSpec
from topologies.routing.spanning_tree import SpanningTree
from topologies.topology import Topology


class _Wire(NamedTuple):
    """One direction of a link: its receiving end, and the latency of each value."""

    end: simpy.Store
    latency_ps: list[int]


@final
class HacProtocol:
    """Chips of a machine that align their counters.

    Parameters
    ----------
    machine, topology
        Protocol constants, latencies, and topology.
    tree
        Parent of each chip.
    clocks
        Clocks of all chips.
    draws
        Random numbers for the jitter of every exchange.

    Attributes
    ----------
    measured
        Bring-up of each chip's link to its parent, by chip, once `run` has returned.
    """

    def __init__(
        self,
        machine: MachineSpec,
        topology: Topology,
        tree: SpanningTree,
        *,
        clocks: Sequence[Clock],
        draws: Draws,
    ) -> None:
        self._env = simpy.Environment()
        self._machine = machine
        self._tree = tree
        self._clocks = clocks
        self._draws = draws
        self._jitter = Jitter(machine, topology)
        least_ps = least_latency_ps(machine, topology)
        self._least_ps = least_ps.tolist()
        self._spacing = spacing_epochs(machine, least_ps) * machine.hac.epoch_cycles
        self._relay_epochs = level_delays(machine, topology, tree).epochs
        self._parent: list[int] = tree.parent.tolist()
        self._link: list[int] = tree.parent_link.tolist()
        below = np.argsort(tree.depth, kind="stable")
        self._below: list[int] = below[tree.depth[below] > 0].tolist()
        self._children: list[list[int]] = [[] for _ in clocks]
        # Epochs from the root's value to the chip's own of the same number.
        self._path_epochs: list[int] = self._relay_epochs.tolist()
        for chip in self._below:
            self._children[self._parent[chip]].append(chip)
            self._path_epochs[chip] += self._path_epochs[self._parent[chip]]
        self.measured: dict[int, MeasuredLink] = {}
        self._counters: dict[int, TrackingCounter] = {}
        self._errors: list[dict[int, int]] = []

    def run(self, windows: int) -> NDArray[np.int64]:
        """Return every chip's error after each window, shape ``(windows, chips)``.

        Errors are read as `fabric.clocks.hac_tracking.Tracking.errors` does.
        """
        env = self._env
        settled = env.all_of([env.process(self._bring_up(c)) for c in self._below])
        env.run(until=settled)
        epoch_cycles = self._machine.hac.epoch_cycles
        root_rate = {self._tree.root: 0}
        for chip in self._below:
            measured, above = self.measured[chip], root_rate[self._parent[chip]]
            rate = added_rates(measured.rate, above, epoch_cycles)
            root_rate[chip] = rate
            self._counters[chip] = TrackingCounter(
                self._machine, measured._replace(rate=rate)
            )
        self._errors = [{} for _ in range(windows)]
        epochs = windows * self._machine.hac.window_epochs + 1
        env.process(self._root(epochs))
        env.run()
        errors = np.zeros((windows, len(self._clocks)), dtype=np.int64)
        for row, of_chip in zip(errors, self._errors, strict=True):
            row[list(of_chip)] = list(of_chip.values())
        return errors

    def _wait(self, time_ps: int) -> simpy.Timeout:
        """Return the timeout that ends at a global time."""
        return self._env.timeout(time_ps - int(self._env.now))

    def _bring_up(self, chip: int) -> ProcessGenerator:
        """Exchange values over the link to a chip until its measurement has settled."""
        hac, epoch = self._machine.hac, self._machine.hac.epoch_cycles
        parent, link = self._clocks[self._parent[chip]], self._link[chip]
        clock, least_ps = self._clocks[chip], self._least_ps[link]
        jitter_ps = self._jitters(Stream.BRING_UP, link, hac.most_exchanges // 2)
        sums, before = np.zeros((2, 2), dtype=np.int64)
        behind = total = weighted = number = 0
        count = hac.exchanges
        while True:
            sent = number * self._spacing
            yield self._wait(parent.edge_ps(sent))
            yield self._env.timeout(least_ps + jitter_ps[2 * number])
            # The child reflects at its next cycle. It reads its lag modulo the epoch
            # and adds up the differences.
            reflected = clock.cycle_at(int(self._env.now) - 1) + 1
            behind += wrapped_difference(-reflected, behind, epoch)
            yield self._wait(clock.edge_ps(reflected))
            yield self._env.timeout(least_ps + jitter_ps[2 * number + 1])
            trip = parent.cycle_at(int(self._env.now)) - sent
            sums += np.array([trip, trip * trip])
            total += behind
            weighted += behind * number
            number += 1
            if number == count // 2:
                before = sums.copy()
            if number < count:
                continue
            if 2 * count > hac.most_exchanges or bring_up_settled(before, sums, count):
                break
            before, count = sums.copy(), 2 * count
        self.measured[chip] = MeasuredLink(
            latency=half_round_trip(int(sums[0]), count),
            rate=rate_per_epoch(total, weighted, count, self._spacing // epoch),
            exchanges=count,
        )

    def _jitters(
        self, stream: Stream, link: int, words: int, first: int = 0
    ) -> list[int]:
        """Return the jitter of exchanges over a link, four from each draw."""
        word = np.arange(first, first + words)
        bits = lane_bits(self._draws.bits(stream, np.full(words, link), word))
        jitter_ps: list[int] = self._jitter.ps(np.array(link), bits).ravel().tolist()
        return jitter_ps

    def _root(self, epochs: int) -> ProcessGenerator:
        """Send the root's counter to its children, epoch after epoch."""
        clock = self._clocks[self._tree.root]
        begins = self._begins()
        wires = self._open(self._tree.root, epochs)
        for number in range(epochs):
            cycle = begins + number * self._machine.hac.epoch_cycles
            yield self._wait(clock.edge_ps(cycle))
            self._send(wires, number)

    def _begins(self) -> int:
        """Return the cycle at which the root sends its first value to be tracked."""
        longest = max((each.exchanges for each in self.measured.values()), default=0)
        return (longest + 1) * self._spacing

    def _open(self, chip: int, epochs: int) -> list[_Wire]:
        """Start the processes of a chip's children; return the wires to them."""
        wires = []
        for child in self._children[chip]:
            link = self._link[child]
            words = (epochs - 1) // LANES + 1
            jitter_ps = self._jitters(Stream.TRACKING, link, words)
            # A word of draws for the adoption, then one for every four readings.
            del jitter_ps[1:LANES]
            latency_ps = [self._least_ps[link] + each for each in jitter_ps]
            wires.append(_Wire(simpy.Store(self._env), latency_ps))
            self._env.process(self._follow(child, wires[-1].end, epochs))
        return wires

    def _send(self, wires: list[_Wire], number: int) -> None:
        """Send a value on each wire."""
        for wire in wires:
            self._env.process(self._carry(wire, number))

    def _carry(self, wire: _Wire, number: int) -> ProcessGenerator:
        """Deliver a value after its latency, with the time of its arrival."""
        yield self._env.timeout(wire.latency_ps[number])
        yield wire.end.put(int(self._env.now))

    def _follow(self, chip: int, end: simpy.Store, epochs: int) -> ProcessGenerator:
        """Adopt the parent's counter, track it, and send the own counter on."""
        epoch = self._machine.hac.epoch_cycles
        clock, counter = self._clocks[chip], self._counters[chip]
        wires = self._open(chip, epochs)
        windows = edge = 0
        for number in range(epochs):
            value = end.get()
            late = False
            if number:
                # Once the counter is settled, values come well before its edge.
                yield value | self._wait(clock.edge_ps(edge - counter.offset))
                late = not value.triggered
            if late:
                self._send(wires, number)
            # The next value may arrive while the chip waits to send this one on.
            arrived_ps: int = yield value
            cycle = clock.cycle_at(arrived_ps)
            if number == 0:
                counter.adopt(cycle)
                edge = int(self._relay_epochs[chip]) * epoch
            elif counter.track(cycle):
                self._errors[windows][chip] = self._error(chip, number)
                windows += 1
            if not late:
                yield self._wait(clock.edge_ps(edge - counter.offset))
                self._send(wires, number)
            edge += epoch

    def _error(self, chip: int, number: int) -> int:
        """Return the offset of a counter from the root's, at its edge of a value."""
        root, epoch = self._clocks[self._tree.root], self._machine.hac.epoch_cycles
        edge = self._begins() + (self._path_epochs[chip] + number) * epoch
        middle_ps = (root.edge_ps(edge) + root.edge_ps(edge + 1)) // 2
        shown = self._clocks[chip].cycle_at(middle_ps) + self._counters[chip].offset
        return wrapped_difference(shown, edge, epoch)
