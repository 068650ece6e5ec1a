"""Cross-checks: our machine with the parameters of ASTRA-sim and of BookSim2."""

import numpy as np

from compiler.compile_collective import compile_collective
from specs.machine import MachineSpec, load_machine
from topologies.selection import select_topology
from topologies.topology import Topology

# Neither of the two models drifting clocks, jitter, errors, cable lengths or the time
# of the vector unit. At 1 GHz a cycle is a nanosecond, so that both count alike.
_IDEAL = {
    "chip.clock_hz": 10**9,
    "chip.vector_fill_cycles": 0,
    "chip.lanes": 10**6,
    # Buffers hold a round of tiles, which are as wide as the lanes.
    "chip.mxm_buffer_bytes": 4 * 10**12,
    "chip.stream_bytes_per_cycle": 64 * 10**6,
    "clock.drift_ppm": 0,
    "link.jitter_cycles": 0,
    "link.ber": 0,
    "link.vector_bytes": 1,
    "link.wire_bytes": 1,
    "link.flight_ps_per_m": 0,
    "fec.code": "none",
}

# ASTRA-sim, analytical and congestion-aware, mid-2025: eight NPUs, FullyConnected,
# 12.5 GB/s, 230 ns a link, endpoint delay 1, algorithm `direct`, one split.
ASTRA_BYTES = 8_192
# Its GB/s are 2^30 B/s: 12.5 of them are 107.4 Gb/s.
_ASTRA = {
    **_IDEAL,
    "link.rate_gbps": 107,
    "link.latency_cycles": 230,
    "link.forward_cycles": 230,
    "chip.send_cycles": 0,
    "chip.receive_cycles": 0,
}

# BookSim2, anynet: eight routers in a full mesh, links of 20 cycles, packets of one
# flit, zero load. Its law is link cycles + 3 x routers passed + 3, and it counts the
# routers at both ends: over the first link that is 20 + 9, and 20 + 3 over each other.
BOOKSIM_LINK_CYCLES = 20
_ROUTER_CYCLES = 3
_BOOKSIM = {
    **_IDEAL,
    "link.latency_cycles": BOOKSIM_LINK_CYCLES,
    "link.forward_cycles": BOOKSIM_LINK_CYCLES + _ROUTER_CYCLES,
    "chip.send_cycles": 2 * _ROUTER_CYCLES,
    "chip.receive_cycles": _ROUTER_CYCLES,
}


def booksim_law(links: int) -> int:
    """Return BookSim2's zero-load latency in cycles, to validate our machine.

    >>> booksim_law(0), booksim_law(1)
    (6, 29)
    """
    routers = links + 1
    return links * BOOKSIM_LINK_CYCLES + _ROUTER_CYCLES * routers + _ROUTER_CYCLES


def astra_all_reduce_cycles() -> int:
    """Return our cycles, each 1 ns, of ASTRA-sim's all-reduce, to validate them.

    The machine has ASTRA-sim's parameters.
    """
    node = select_topology(8)
    schedule = compile_collective(
        node,
        _machine(_ASTRA),
        "all-reduce",
        node.active.astype(np.int64),
        payload_bytes=ASTRA_BYTES,
        algorithm="two-step",
    )
    return schedule.latency_cycles


def booksim_cycles(topology: Topology, source: int, target: int) -> int:
    """Return our latency of a packet with BookSim2's parameters, to validate it."""
    schedule = compile_collective(
        topology,
        _machine(_BOOKSIM),
        "point-to-point",
        np.array([source, target]),
        payload_bytes=1,
        algorithm="one-shot",
    )
    return schedule.latency_cycles


def booksim_mean_cycles() -> float:
    """Return our mean latency over all pairs of a node, to validate with BookSim2.

    Chips with themselves are included. A packet from a chip to itself uses no link of
    our machine, so that BookSim2's law gives its latency.
    """
    node = select_topology(8)
    pairs = [(a, b) for a in range(8) for b in range(8) if a != b]
    total = sum(booksim_cycles(node, a, b) for a, b in pairs)
    return (total + 8 * booksim_law(0)) / 64


def _machine(settings: dict[str, object]) -> MachineSpec:
    """Return the default machine with another simulator's settings, to validate."""
    return load_machine().with_settings(settings, "peer")
