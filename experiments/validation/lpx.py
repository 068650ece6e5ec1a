"""Comparisons with published figures of the second generation, a rack of LP30."""

import numpy as np

from experiments.validation.comparison import Comparison, compared
from experiments.validation.network_latency import one_vector
from specs.machine import load_machine
from specs.units import US_PER_S
from topologies.metrics.farthest_pair import farthest_pair
from topologies.selection import select_topology

_GB = 10**9


def lpx_rows() -> list[Comparison]:
    """Return comparisons with published figures of LP30.

    Sizes are inputs. The clock and the parts of a hop are calibrated; the latency
    across the rack follows from them.
    """
    machine = load_machine("lpx")
    system, chip = machine.system, machine.chip
    rack = select_topology(
        system.chips, system.topology, ports_per_chip=machine.chip.ports
    )
    flops = 2 * chip.mxm_int8_macs_per_cycle * chip.clock_hz * rack.chips
    bandwidth = chip.sram_bytes_per_cycle * chip.clock_hz * rack.chips
    hop = one_vector(rack, machine, np.array([0, 1]))
    worst = one_vector(rack, machine, farthest_pair(rack))
    return [
        *compared(
            "LPX rack, sizes",
            {"chips": rack.chips, "SRAM": chip.sram_bytes * rack.chips / _GB},
        ),
        *compared(
            "LPX rack, by the assumed clock",
            {
                "FP8 operations": flops / 1e15,
                "SRAM bandwidth": bandwidth / 1e15,
                "hop, SRAM to SRAM": hop.network_cycles * US_PER_S / chip.clock_hz,
            },
        ),
        *compared(
            "LPX rack, latency",
            {"across the rack": worst.network_cycles * US_PER_S / chip.clock_hz},
        ),
    ]
