"""Latencies of the network for which a figure was published: schedules and sizes."""

import numpy as np
from numpy.typing import NDArray

from compiler.compile_collective import CollectiveSchedule, compile_collective
from specs.machine import MachineSpec
from topologies.selection import select_topology
from topologies.topology import Topology

ALL_REDUCE_CHIPS = 256
_MOST_VECTORS = 64


def smallest_all_reduce(machine: MachineSpec) -> CollectiveSchedule:
    """Return the schedule of the all-reduce whose latency is a published figure.

    It is of one vector, on 256 chips of the 33-node system.
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


def one_vector(
    topology: Topology,
    machine: MachineSpec,
    pair: NDArray[np.int64],
) -> CollectiveSchedule:
    """Return the schedule of a vector between two chips, to validate its latency."""
    return compile_collective(
        topology,
        machine,
        "point-to-point",
        pair,
        payload_bytes=machine.link.vector_bytes,
        algorithm="one-shot",
    )


def first_spread_bytes(machine: MachineSpec) -> int:
    """Return the least tensor in bytes that several paths speed up, to validate it.

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
