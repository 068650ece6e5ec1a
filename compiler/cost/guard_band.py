"""Guard band: cycles by which a receive is scheduled after the earliest arrival.

A receive has a fixed cycle. It must wait for the latest arrival that three effects
allow: the jitter of the link, the drift of both crystals since their last deskew, and
the error of their aligned counters.
"""

import math
from dataclasses import dataclass
from typing import final

from chip.deskew import half_epoch_cycles
from compiler.cost.link_timing import vector_rate
from specs.errors import ScheduleError
from specs.machine import MachineSpec
from specs.units import PPM


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """Timing tolerance of a machine's clocks and links, and the guard band it needs.

    Parameters
    ----------
    machine
        Crystals, links and counters.
    tree_height
        Levels of the spanning tree along which the counters are aligned.
    """

    machine: MachineSpec
    tree_height: int

    @property
    def relative_ppm(self) -> float:
        """Return the largest difference between two crystals, in ppm of the slower."""
        error_ppm = self.machine.clock.largest_error_ppm
        return 2 * error_ppm / (1 - error_ppm / PPM)

    @property
    def counter_error(self) -> int:
        """Return the largest error of a chip's aligned counter, in counts."""
        if self.relative_ppm == 0 and self.machine.link.jitter_cycles == 0:
            return 0
        return self.machine.hac.tracking_error_counts * self.tree_height

    @property
    def alignment_cycles(self) -> int:
        """Return the largest misalignment of two aligned chips, in cycles.

        A counter shows whole counts: the start or a RUNTIME_DESKEW sets a chip whose
        counter is `error` counts off the root's to within ``(error - 1, error]`` of it.
        So two chips differ by less than twice the largest error plus one cycle. A
        second cycle covers clock edges, which lie on whole picoseconds.
        """
        if self.relative_ppm == 0 and self.machine.link.jitter_cycles == 0:
            return 0
        return 2 * self.counter_error + 2

    @property
    def longest_interval_cycles(self) -> int:
        """Return the longest time between two deskews whose drift cannot be misread."""
        return half_epoch_cycles(
            self.machine.hac.epoch_cycles, self.counter_error, self.relative_ppm
        )

    def drift_cycles(self, interval_cycles: int) -> int:
        """Return the drift of two crystals against each other, in cycles, rounded up.

        Sender and receiver deskew at different times, so each drifts against the root
        over its own time, up to the interval. With crystals s, r and root o, all within
        +/- ppm, ``(s - o) * t_s - (r - o) * t_r`` is largest if one time is an
        interval, the other zero, and the root is at the opposite limit: 2 x ppm x
        interval, as for two crystals over one interval.
        """
        return math.ceil(self.relative_ppm * interval_cycles / PPM)

    def guard_cycles(self, interval_cycles: int) -> int:
        """Return the guard band: jitter span + drift + counter error.

        Crystals drift during the interval and during the flight of a vector: a latency
        is a time, but the receiver counts it in cycles of its own clock.

        Raises
        ------
        ScheduleError
            If the vectors that arrive at the earliest would overflow the receive FIFO.
        """
        link = self.machine.link
        flight = self.machine.reference_latency_cycles
        drift = self.drift_cycles(interval_cycles + flight + link.jitter_cycles)
        slip = drift + self.alignment_cycles
        guard = link.jitter_cycles + slip
        bits, per_cycle = vector_rate(self.machine)
        waiting = (guard + slip) * per_cycle // bits + 1
        if waiting > link.fifo_vectors:
            raise ScheduleError(
                f"a guard band of {guard} cycles lets {waiting} vectors wait in a "
                f"receive FIFO of {link.fifo_vectors}: set link.fifo_vectors to "
                f"{waiting}, or a shorter deskew.interval_epochs"
            )
        return guard

    def checked_interval(self, epochs: int) -> int:
        """Return a deskew interval in cycles, after checking it; 0 stands for never.

        Raises
        ------
        ScheduleError
            If drift can exceed half an epoch within it.
        """
        epoch = self.machine.hac.epoch_cycles
        limit = self.longest_interval_cycles
        if epochs * epoch > limit:
            best = limit // epoch
            remedy = (
                f"use deskew.interval_epochs={best} or less"
                if best > 1
                else "no interval would do: use steadier crystals (clock.drift_ppm)"
            )
            raise ScheduleError(
                f"in {epochs} epochs of {epoch} cycles, crystals {self.relative_ppm:g} "
                f"ppm apart drift {self.drift_cycles(epochs * epoch)} cycles, more "
                f"than the half epoch of {epoch // 2} that RUNTIME_DESKEW can tell "
                f"apart; {remedy}"
            )
        return epochs * epoch
