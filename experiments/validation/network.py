"""Comparisons with published figures of the network, all of them predicted."""

import simpy

from compiler.compile_collective import CollectiveSchedule
from experiments.traffic.uniform_traffic import bandwidth_bound, simulated_bandwidth
from experiments.validation.comparison import Comparison, compared
from experiments.validation.network_latency import (
    first_spread_bytes,
    one_vector,
    smallest_all_reduce,
)
from experiments.validation.other_simulators import (
    astra_all_reduce_cycles,
    booksim_mean_cycles,
)
from fabric.clocks.aligned_crystals import make_crystals
from fabric.clocks.crystals import make_clocks
from fabric.clocks.start_propagation import propagate_start
from fabric.random_streams import Draws
from fabric.simpy_engine.start_alignment import Alignment
from specs.machine import MachineSpec, load_machine
from specs.units import US_PER_S
from topologies.builders.all_to_all_nodes import node_system
from topologies.metrics.farthest_pair import farthest_pair
from topologies.routing.spanning_tree import alignment_tree
from topologies.selection import select_topology

_ALL_CHIPS, _RACKS_CHIPS, _NODE_CHIPS = 10_440, 576, 8


def latency_rows(seed: int = 1) -> list[Comparison]:
    """Return comparisons of latencies of the network with published figures."""
    machine = load_machine()
    whole = select_topology(_ALL_CHIPS)
    worst = one_vector(whole, machine, farthest_pair(whole))
    return compared(
        "Latency of the network",
        {
            "start, a level": _start_epochs(machine, seed),
            "all-reduce, 256 chips": _network_us(machine, smallest_all_reduce(machine)),
            "worst pair, 145 racks": _network_us(machine, worst),
            "spreading pays from": first_spread_bytes(machine),
        },
    )


def bandwidth_rows(seed: int = 1) -> list[Comparison]:
    """Return comparisons of uniform traffic over gateways with published rates.

    The figure of two nodes is the traffic that leaves a node, over four links a chip.
    The figures of larger systems are the whole traffic of a chip.
    """
    machine = load_machine()
    racks = select_topology(_RACKS_CHIPS)
    two, eight, most = (
        simulated_bandwidth(node_system(nodes), machine, "over gateways", seed=seed)
        for nodes in (2, 8, 33)
    )
    return compared(
        "Bandwidth of the network",
        {
            "a chip, between 2 nodes": two.leaving_node_gb_per_s,
            "a chip of 64": eight.injected_gb_per_s,
            "a chip of 264": most.injected_gb_per_s,
            "a chip of 576": bandwidth_bound(racks, machine).injected_gb_per_s,
        },
    )


def simulator_rows() -> list[Comparison]:
    """Return comparisons with figures that were recorded with other simulators."""
    return compared(
        "Other simulators",
        {
            # A cycle of this comparison is a nanosecond.
            "all-reduce of 8 KiB": astra_all_reduce_cycles(),
            "mean, no load": booksim_mean_cycles(),
        },
    )


def _start_epochs(machine: MachineSpec, seed: int) -> float:
    """Return the epochs of the aligned start for each tree level, in a node.

    The published latencies, of cables in a node, are below the epoch.
    """
    draws = Draws(seed)
    topology = select_topology(_NODE_CHIPS)
    tree = alignment_tree(topology, machine, 0)
    clocks = make_clocks(machine, topology.chips, 0, draws)
    crystals = make_crystals(machine, topology, tree, clocks=clocks, draws=draws)
    down = propagate_start(machine, topology, tree, draws)
    start = Alignment(simpy.Environment(), down, crystals).run()
    return start.epochs / tree.height


def _network_us(machine: MachineSpec, schedule: CollectiveSchedule) -> float:
    """Return the network latency of a schedule in us, to validate it."""
    return schedule.network_cycles * US_PER_S / machine.chip.clock_hz
