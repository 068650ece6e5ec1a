"""Comparisons with published figures of the second generation, a rack of LP30."""

from experiments.validation.network_latency import one_vector
from experiments.validation.row import FigureKind, PublishedFigure
from specs.machine import MachineSpec, load_machine
from specs.units import US_PER_S
from topologies.metrics.farthest_pair import farthest_pair
from topologies.metrics.summary import describe
from topologies.selection import select_topology
from topologies.topology import Topology

_GB = 10**9


def lpx_rows() -> list[PublishedFigure]:
    """Return comparisons with published figures of LP30.

    Sizes and hop latency are inputs; the others follow from them.
    """
    machine = load_machine("lpx")
    system, chip = machine.system, machine.chip
    rack = select_topology(
        system.chips, system.topology, ports_per_chip=machine.chip.ports
    )
    flops = 2 * chip.mxm_int8_macs_per_cycle * chip.clock_hz * rack.chips
    bandwidth = chip.sram_bytes_per_cycle * chip.clock_hz * rack.chips
    hop_cycles = (
        chip.send_cycles + machine.link.mean_latency_cycles + chip.receive_cycles
    )
    hops = describe(rack).diameter_hops
    return [
        _row("chips of an LPX rack", 256, rack.chips, "chips", FigureKind.INPUT),
        _row(
            "SRAM of an LPX rack",
            128,
            chip.sram_bytes * rack.chips / _GB,
            "GB",
            FigureKind.INPUT,
            tolerance=0.001,
        ),
        _row(
            "FP8 of an LPX rack, clock assumed",
            315,
            flops / 1e15,
            "PFLOPS",
            FigureKind.CALIBRATED,
            tolerance=0.005,
        ),
        _row(
            "SRAM bandwidth of an LPX rack, clock assumed",
            40,
            bandwidth / 1e15,
            "PB/s",
            FigureKind.CALIBRATED,
            tolerance=0.03,
        ),
        _row(
            "one hop of LP30, SRAM to SRAM",
            0.35,
            hop_cycles * US_PER_S / chip.clock_hz,
            "us",
            FigureKind.CALIBRATED,
            source="hc26",
            tolerance=0.01,
        ),
        # Two hops in the published wiring. It is not published what the figure
        # measures; it would take three hops and a third.
        _row(
            f"worst pair of an LPX rack, {hops} hops",
            1.15,
            _worst_us(machine, rack),
            "us",
            FigureKind.PREDICTED,
            source="hc26",
            tolerance=0.45,
        ),
    ]


def _worst_us(machine: MachineSpec, rack: Topology) -> float:
    """Return the network latency of the worst pair in us, to validate it."""
    schedule = one_vector(rack, machine, farthest_pair(rack))
    return schedule.network_cycles * US_PER_S / machine.chip.clock_hz


def _row(
    name: str,
    published: float,
    ours: float,
    unit: str,
    kind: FigureKind,
    *,
    source: str = "nvlpx",
    tolerance: float = 0.0,
) -> PublishedFigure:
    """Return a comparison with a published figure of an LPX rack."""
    return PublishedFigure(
        name=name,
        source=source,
        published=published,
        ours=ours,
        unit=unit,
        tolerance=tolerance,
        kind=kind,
    )
