"""Link timing: latencies, rates and the least time of a hop, in cycles."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from specs.machine import MachineSpec
from specs.units import PS_PER_S, ceil_div
from topologies.topology import Topology


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LinkTiming:
    """Timing of all links of a machine, in cycles of the nominal clock.

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
        SRAM to wire; FIFO to SRAM; FIFO to the next wire in a relay hop.
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
    """Return the closed-form timing of all links under a guard band.

    The time of a relay hop, `forward_cycles`, contains one mean link latency; the rest
    is spent inside the forwarding chip.
    """
    link, chip = machine.link, machine.chip
    extra_ps = machine.cable_extra_ps(topology.length_m)
    extra_cycles = -(-extra_ps * chip.clock_hz // PS_PER_S)
    return LinkTiming(
        latency_cycles=machine.reference_latency_cycles + extra_cycles,
        fec_cycles=machine.fec.parameters.decode_cycles,
        guard_cycles=guard_cycles,
        send_cycles=chip.send_cycles,
        receive_cycles=chip.receive_cycles,
        pass_cycles=link.forward_cycles - link.mean_latency_cycles,
    )


def serialisation_cycles(machine: MachineSpec, vectors: int) -> int:
    """Return the closed-form serialisation time of a train, in cycles, rounded up."""
    return machine.line.offset_cycles(vectors)


def vector_rate(machine: MachineSpec) -> tuple[int, int]:
    """Return the closed-form cycles between two vectors as numerator and denominator.

    They are in lowest terms.
    """
    cycles = machine.line.vector_cycles
    return cycles.numerator, cycles.denominator


def vectors_of(machine: MachineSpec, payload_bytes: int) -> int:
    """Return the vectors that a payload costs, at least one: no message is empty."""
    return max(1, ceil_div(payload_bytes, machine.link.vector_bytes))


def hop_cycles(machine: MachineSpec, vectors: int) -> int:
    """Return the closed-form least latency of one hop, in cycles, SRAM to SRAM.

    The hop has as many parallel cables as a message may be striped over.
    """
    train = ceil_div(vectors, machine.link.stripe_cables)
    return (
        machine.chip.send_cycles
        + machine.reference_latency_cycles
        + serialisation_cycles(machine, train - 1)
        + machine.chip.receive_cycles
    )
