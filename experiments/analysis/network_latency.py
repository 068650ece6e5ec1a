"""Latencies of the network for which a figure was published: schedules and sizes."""

import numpy as np
from numpy.typing import NDArray

from compiler.compile_collective import CollectiveSchedule, compile_collective
from specs.machine import MachineSpec
from topologies.routing.breadth_first import hop_counts
from topologies.routing.minimal_paths import minimal_paths
from topologies.selection import select_topology
from topologies.topology import Topology

ALL_REDUCE_CHIPS = 256
_MOST_VECTORS = 64


def smallest_all_reduce(machine: MachineSpec) -> CollectiveSchedule:
    """Return the schedule of a 256-chip all-reduce of one vector, to analyse latency.

    The chips are of the 33-node system.
    """
    topology = select_topology(ALL_REDUCE_CHIPS, "nodes33")
    return compile_collective(
        topology,
        machine,
        "all-reduce",
        topology.active.astype(np.int64),
        payload_bytes=machine.link.vector_bytes,
        algorithm="hierarchical",
    )


def worst_pair(topology: Topology) -> NDArray[np.int64]:
    """Return the pair of chips on the longest path, to analyse its latency.

    It has the most hops, and of such pairs the longest cables. Of chips that
    symmetry makes equivalent one is evaluated.
    """
    sources = list(topology.representatives or range(topology.chips))
    hops = hop_counts(topology.adjacency(), sources)
    target, source = np.nonzero(hops == hops.max())
    source = np.array(sources, dtype=np.int64)[source]
    paths = minimal_paths(topology, source, target.astype(np.int64))
    length_m = np.where(paths >= 0, topology.length_m[paths], 0.0).sum(axis=1)
    row = int(length_m.argmax())
    return np.array([source[row], target[row]], dtype=np.int64)


def one_vector(
    topology: Topology,
    machine: MachineSpec,
    pair: NDArray[np.int64],
) -> CollectiveSchedule:
    """Return the schedule of one vector between two chips, to analyse its latency."""
    return compile_collective(
        topology,
        machine,
        "point-to-point",
        pair,
        payload_bytes=machine.link.vector_bytes,
        algorithm="one-shot",
    )


def first_spread_bytes(machine: MachineSpec) -> int:
    """Return the least tensor in bytes that several paths carry faster, for analysis.

    The comparison is with the direct link alone; 64 vectors if none up to there does.
    """
    node = select_topology(8)
    size = machine.link.vector_bytes
    for vectors in range(1, _MOST_VECTORS):
        direct, multipath = (
            compile_collective(
                node,
                machine,
                "point-to-point",
                np.array([0, 1]),
                payload_bytes=vectors * size,
                algorithm=algorithm,
            ).latency_cycles
            for algorithm in ("one-shot", "spread")
        )
        if multipath < direct:
            return vectors * size
    return _MOST_VECTORS * size
