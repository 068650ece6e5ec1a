"""The guard band: how much later than the earliest moment a vector may be received.

A receive has a fixed cycle, so it must wait for the latest vector that the jitter of
the link, the drift of the two crystals since their last deskew and the error of their
aligned counters allow.
"""

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from chip.hac import half_epoch_cycles
from specs.errors import ScheduleError
from specs.machine import MachineSpec
from specs.units import BITS_PER_BYTE, PPM, PS_PER_S, ceil_div
from topologies.topology import Topology


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LinkTiming:
    """What the compiler knows of the links, in cycles of the nominal clock.

    Parameters
    ----------
    latency_cycles
        Least latency of each directed link with its cable and FEC decoder, shape
        ``(directed links,)``.
    fec_cycles
        The decoder's part of it.
    guard_cycles
        Guard band of every receive.
    send_cycles, receive_cycles, pass_cycles
        SRAM to wire; FIFO to SRAM; FIFO to the next wire in a forward.
    """

    latency_cycles: NDArray[np.int64]
    fec_cycles: int
    guard_cycles: int
    send_cycles: int
    receive_cycles: int
    pass_cycles: int


def link_timing(
    topology: Topology, machine: MachineSpec, guard_cycles: int
) -> LinkTiming:
    """Return the links' timing under a guard band.

    The extra way of a forwarded vector, `forward_cycles`, contains one link latency at
    its mean; what remains is spent inside the forwarding chip.
    """
    link, chip = machine.link, machine.chip
    fec_cycles = machine.fec.parameters.decode_cycles
    extra_ps = np.array(
        [machine.cable_extra_ps(length) for length in np.unique(topology.length_m)]
    )
    extra_cycles = -(-extra_ps * chip.clock_hz // PS_PER_S)
    lengths = np.searchsorted(np.unique(topology.length_m), topology.length_m)
    return LinkTiming(
        latency_cycles=link.latency_cycles + fec_cycles + extra_cycles[lengths],
        fec_cycles=fec_cycles,
        guard_cycles=guard_cycles,
        send_cycles=chip.send_cycles,
        receive_cycles=chip.receive_cycles,
        pass_cycles=link.forward_cycles - link.mean_latency_cycles,
    )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """What a machine's clocks and links may do, and the guard band that covers it.

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
        """Return by how many cycles two aligned chips may be apart.

        A counter shows whole counts: a chip that is `error` counts off the root's is
        set, by the start or a RUNTIME_DESKEW, to within ``(error - 1, error]`` of it.
        So two chips are less than twice the largest error and one cycle apart. Another
        cycle is for edges, which lie on whole picoseconds.
        """
        if self.relative_ppm == 0 and self.machine.link.jitter_cycles == 0:
            return 0
        return 2 * self.counter_error + 2

    @property
    def longest_interval_cycles(self) -> int:
        """Return the longest time between two deskews that cannot be misread."""
        return half_epoch_cycles(
            self.machine.hac.epoch_cycles, self.counter_error, self.relative_ppm
        )

    def drift_cycles(self, interval_cycles: int) -> int:
        """Return how far two crystals drift apart in an interval, rounded up.

        Sender and receiver deskew at different times, so each drifts against the root
        over a time of its own, up to the interval. With crystals s, r and root o, all
        within +/- ppm, ``(s - o) * t_s - (r - o) * t_r`` is largest if one has the time
        of an interval, the other none, and the root is at the far end: 2 x ppm x
        interval, as for two crystals over one interval.
        """
        return math.ceil(self.relative_ppm * interval_cycles / PPM)

    def guard_cycles(self, interval_cycles: int) -> int:
        """Return the guard band: jitter span + drift + counter error.

        Crystals drift for the interval and while the vector is on its way: a latency is
        a time, but the receiver awaits it in cycles of its own.

        Raises
        ------
        ScheduleError
            If vectors that come as early as the guard allows would overflow the
            receive FIFO.
        """
        link = self.machine.link
        flight = link.latency_cycles + self.machine.fec.parameters.decode_cycles
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
        """Return a given deskew interval in cycles, 0 for never.

        Raises
        ------
        ScheduleError
            If drift can exceed half an epoch within it.
        """
        epoch = self.machine.hac.epoch_cycles
        limit = self.longest_interval_cycles
        if epochs * epoch > limit:
            best = limit // epoch
            way = (
                f"use deskew.interval_epochs={best} or less"
                if best > 1
                else "no interval would do: use steadier crystals (clock.drift_ppm)"
            )
            raise ScheduleError(
                f"in {epochs} epochs of {epoch} cycles, crystals {self.relative_ppm:g} "
                f"ppm apart drift {self.drift_cycles(epochs * epoch)} cycles, more "
                f"than the half epoch of {epoch // 2} that RUNTIME_DESKEW can tell "
                f"apart; {way}"
            )
        return epochs * epoch


def serialisation_cycles(machine: MachineSpec, vectors: int) -> int:
    """Return the cycles for which a train of `vectors` keeps a wire, rounded up."""
    return machine.link.vector_offset_cycles(vectors, machine.chip.clock_hz)


def vector_rate(machine: MachineSpec) -> tuple[int, int]:
    """Return two whole numbers whose quotient is the cycles between two vectors.

    They are the bits of a vector on the wire in a second of cycles, and the line rate.
    """
    link = machine.link
    bits = link.wire_bytes * BITS_PER_BYTE * machine.chip.clock_hz
    return bits, link.rate_gbps * 10**9


def vectors_of(machine: MachineSpec, payload_bytes: int) -> int:
    """Return the vectors that carry a payload, at least one: no message is void."""
    return max(1, ceil_div(payload_bytes, machine.link.vector_bytes))
