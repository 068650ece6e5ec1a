"""HAC tracking of all chips as arrays: bring-up, adoption and tracking.

Protocol and draws are those of `fabric.simpy_engine.hac_protocol`, which processes one
event an exchange. A chip adjusts its counter within a window by its estimate alone, not
by the readings of the window. So a window of all chips is one array evaluation, and
thousands of chips settle in milliseconds.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from fabric.clocks.alignment_epochs import level_delays
from fabric.clocks.clock import Clock
from fabric.clocks.crystal_array import CrystalArray
from fabric.clocks.hac import FRACTION_BITS, HALF_COUNT, added_rates
from fabric.clocks.link_bring_up import LANES, bring_up, lane_bits, spacing_epochs
from fabric.links.latency import Jitter, least_latency_ps
from fabric.random_streams import Draws, Stream
from specs.arrays import Ints
from specs.errors import ScheduleError
from specs.machine import MachineSpec
from specs.units import PPM, ceil_div
from topologies.routing.spanning_tree import SpanningTree
from topologies.topology import Topology

# Tracking lasts at most this many times `settle_epochs` before a machine is refused.
_MAX_SETTLE_FACTOR = 8


@final
class Tracking:
    """Counters of all chips below the root, from their adoption on.

    The bring-up gives a child the latency L of its link and the rate error of its
    crystal to its parent's. The parent sends its own rate error to the root with the
    counter, so rates add up down the tree. The first value sets the child's counter to
    the value received plus L. From then on the child reads its counter when a value
    arrives. After a window of readings it corrects its estimate of the right count. It
    moves the counter towards the estimate by at most `slew_counts` an exchange.

    Parameters
    ----------
    machine, topology
        Protocol constants, latencies, and topology.
    tree
        Parent of each chip; chips outside the tree have no error.
    clocks
        Clocks of all chips.
    draws
        Random numbers for the jitter of every exchange.
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
        self._hac = machine.hac
        self._draws = draws
        self._child = np.flatnonzero(tree.parent >= 0)
        self._links = tree.parent_link[self._child].astype(np.int64)
        parent = tree.parent[self._child].astype(np.int64)
        columns = np.full(len(tree.parent), len(self._child))
        columns[self._child] = np.arange(len(self._child))
        # Column of each chip's parent; that of the root is one past the last.
        self._above = columns[parent]
        self._jitter = Jitter(machine, topology)
        least_ps = least_latency_ps(machine, topology)
        self._least_ps = least_ps[self._links]
        self._parent_crystal = CrystalArray(clocks, parent)
        self._crystal = CrystalArray(clocks, self._child)
        self._root_crystal = CrystalArray(clocks, np.array([tree.root]))
        measured = bring_up(
            machine,
            topology,
            self._links,
            clocks=clocks,
            least_ps=least_ps,
            jitter=self._jitter,
            draws=draws,
        )
        self.windows = 0
        self._chips = len(tree.parent)
        self._latency, self._latency_part = divmod(measured.latency, 1 << FRACTION_BITS)
        self._rate = np.append(measured.rate, 0)
        # Epochs of the chip from the receipt of a value to the transmission of its own.
        self._relay_epochs = level_delays(machine, topology, tree).epochs[self._child]
        longest = int(measured.exchanges.max(initial=0))
        begins = (longest + 1) * spacing_epochs(machine, least_ps)
        # Root epoch of each chip's next value; the root itself is last.
        self._epoch = np.full(len(self._child) + 1, begins)
        self._offset = np.zeros(len(self._child) + 1, dtype=np.int64)
        self._adopt(tree)
        # The estimate of the root, last, is exact.
        self._estimate = np.zeros(len(self._child) + 1, dtype=np.int64)
        self._estimate[:-1] = (self._offset[:-1] << FRACTION_BITS) - HALF_COUNT
        self._estimate[:-1] += self._latency_part

    def _adopt(self, tree: SpanningTree) -> None:
        """Set each counter to the first value it receives plus L, level by level."""
        words = self._draws.bits(Stream.TRACKING, self._links)
        bits = lane_bits(words[np.newaxis])[0, 0]
        depth = tree.depth[self._child]
        for level in range(1, tree.height + 1):
            row = np.flatnonzero(depth == level)
            above = self._above[row]
            self._rate[row] = added_rates(
                self._rate[row], self._rate[above], self._hac.epoch_cycles
            )
            self._epoch[row] = self._epoch[above]
            sent = self._epoch[:-1] * self._hac.epoch_cycles
            shown = self._received(sent - self._offset[self._above], bits)
            self._offset[row] = (sent + self._latency - shown)[row]
            # Its own first value, and the second that it receives, come later.
            self._epoch[row] += self._relay_epochs[row]

    def _received(self, sent: Ints, bits: NDArray[np.uint64]) -> Ints:
        """Return the cycle of each child at which its parent's value arrives.

        Parameters
        ----------
        sent
            Cycles of the parents at which they send, last axis ``links``.
        bits
            Random bits for the jitter.
        """
        arrival_ps = self._parent_crystal.edges_ps(sent)
        arrival_ps += self._least_ps
        arrival_ps += self._jitter.ps(self._links, bits)
        return self._crystal.cycles_at(arrival_ps)

    def run_window(self) -> None:
        """Advance every chip by a window of readings and correct its estimate."""
        hac, window = self._hac, self._hac.window_epochs
        step = np.arange(1, window + 1)[:, np.newaxis]
        offset = (self._rate * step + (self._estimate + HALF_COUNT)) >> FRACTION_BITS
        if (np.abs(offset[0] - self._offset) > hac.slew_counts).any():
            moved = hac.slew_counts * step
            offset = np.clip(offset, self._offset - moved, self._offset + moved)
        group = np.arange(window // LANES) + self.windows * (window // LANES) + 1
        bits = self._draws.bits(Stream.TRACKING, self._links, group[:, np.newaxis])
        bits = lane_bits(bits).reshape(window, -1)
        # The value before the window's first was sent at this count.
        before = (self._epoch[:-1] - self._relay_epochs) * hac.epoch_cycles
        sent = before + step * hac.epoch_cycles - offset.take(self._above, axis=1)
        shown = self._received(sent, bits).sum(axis=0)
        # Sum over the window of the right offsets of counters from crystals.
        wanted = window * (before + self._latency) - shown
        wanted += hac.epoch_cycles * window * (window + 1) // 2
        # A counter that shows n is halfway through its count on average.
        shift = FRACTION_BITS - window.bit_length()
        mean = ((2 * wanted - window) << shift) + self._latency_part
        rate, estimate = self._rate[:-1], self._estimate[:-1]
        correction = mean - estimate - (rate * (window + 1) >> 1)
        gain = min(self.windows // hac.windows_per_gain, hac.least_gain_shift)
        estimate += rate * window + (correction >> gain)
        self._offset = offset[-1]
        self._epoch[:-1] += window
        self.windows += 1

    @property
    def epochs(self) -> int:
        """Return the epochs of the root from the first exchange of the bring-up on."""
        return int(self._epoch[:-1].max(initial=0))

    def errors(self) -> Ints:
        """Return the offset of each counter from the root's, in counts, by chip.

        Both are read in the middle of a count of the root, just after the chip's last
        exchange.
        """
        count = self._epoch[:-1] * self._hac.epoch_cycles
        edge_ps = self._root_crystal.edges_ps(count)
        middle_ps = (edge_ps + self._root_crystal.edges_ps(count + 1)) // 2
        errors = np.zeros(self._chips, dtype=np.int64)
        shown = self._crystal.cycles_at(middle_ps) + self._offset[:-1]
        errors[self._child] = shown - count
        return errors


class SettledCounters(NamedTuple):
    """Counters of all chips once a program may start.

    Attributes
    ----------
    errors
        Error of each counter against the root's, in counts, shape ``(chips,)``.
    epochs
        Epochs from the first exchange of the bring-up until all have settled.
    """

    errors: Ints
    epochs: int


def settled_errors(
    machine: MachineSpec,
    topology: Topology,
    tree: SpanningTree,
    *,
    clocks: Sequence[Clock],
    draws: Draws,
) -> Ints:
    """Return the clock-alignment errors of `settled_counters`, shape ``(chips,)``."""
    return settled_counters(machine, topology, tree, clocks=clocks, draws=draws).errors


def settled_counters(
    machine: MachineSpec,
    topology: Topology,
    tree: SpanningTree,
    *,
    clocks: Sequence[Clock],
    draws: Draws,
) -> SettledCounters:
    """Return the clock-alignment error of each chip's counter at a program's start.

    A program starts after `settle_epochs`, once every chip is within
    `tracking_error_counts` for each level of the tree; the guard band of every receive
    relies on that. A machine that is not goes on tracking: hardware would see it in
    the corrections that its chips make.

    Parameters are those of `Tracking`.

    Raises
    ------
    ScheduleError
        If a chip stays further off, or crystals drift faster than counters move.
    """
    hac = machine.hac
    error = machine.clock.largest_error_ppm / PPM
    lost = hac.epoch_cycles * 2 * error / (1 - error)
    if lost > hac.slew_counts:
        raise ScheduleError(
            f"crystals {machine.clock.drift_ppm:g} ppm off either way may drift "
            f"{lost:.3g} counts in an epoch of {hac.epoch_cycles} cycles, and a "
            f"counter moves by at most hac.slew_counts={hac.slew_counts}: set that to "
            f"{math.ceil(lost)}, or take steadier crystals (clock.drift_ppm)"
        )
    tracking = Tracking(machine, topology, tree, clocks=clocks, draws=draws)
    windows = ceil_div(hac.settle_epochs, hac.window_epochs)
    allowed = hac.tracking_error_counts * tree.depth
    while True:
        tracking.run_window()
        if tracking.windows < windows:
            continue
        errors = tracking.errors()
        excess = np.abs(errors) - allowed
        if not (excess > 0)[tree.depth > 0].any():
            return SettledCounters(errors, tracking.epochs)
        if tracking.windows >= _MAX_SETTLE_FACTOR * windows:
            chip = int(excess.argmax())
            depth = int(tree.depth[chip])
            needed = ceil_div(abs(int(errors[chip])), depth)
            raise ScheduleError(
                f"after {tracking.windows * hac.window_epochs} epochs of tracking, the "
                f"counter of chip {chip}, {depth} levels below the root, is still off "
                f"by {errors[chip]} counts, and hac.tracking_error_counts="
                f"{hac.tracking_error_counts} allows {allowed[chip]}: set it to "
                f"{needed}, or take links that jitter less"
            )
