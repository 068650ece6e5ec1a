"""Latencies of the network: pairs far apart, one vector, and multipath sends."""

import networkx as nx
import numpy as np
import pytest

from experiments.validation.network_latency import (
    first_spread_bytes,
    one_vector,
    smallest_all_reduce,
)
from specs.machine import load_machine
from topologies.io.networkx_graph import from_networkx
from topologies.metrics.farthest_pair import farthest_pair
from topologies.metrics.summary import describe
from topologies.selection import select_topology

MACHINE = load_machine()


def test_every_hop_of_a_vector_takes_as_long_as_the_next() -> None:
    path = from_networkx(nx.path_graph(4), name="path")
    cycles = [
        one_vector(path, MACHINE, np.array([0, end])).latency_cycles
        for end in (1, 2, 3)
    ]
    assert cycles[2] - cycles[1] == cycles[1] - cycles[0] > 0


def test_the_smallest_all_reduce_takes_three_hops_without_a_relay_hop() -> None:
    schedule = smallest_all_reduce(MACHINE)
    assert schedule.timeline.stage_hops == (3,)
    assert (schedule.program.trains.previous < 0).all()
    assert schedule.network_cycles / 0.9 == pytest.approx(3 * 722, rel=0.05)


def test_the_smallest_all_reduce_is_of_one_vector_on_256_chips() -> None:
    schedule = smallest_all_reduce(MACHINE)
    assert len(np.unique(schedule.chips)) == 256
    assert schedule.payload_bytes == MACHINE.link.vector_bytes


def test_the_worst_pair_is_as_far_apart_as_the_machine_is_wide() -> None:
    topology = select_topology(144)
    pair = farthest_pair(topology)
    schedule = one_vector(topology, MACHINE, pair)
    assert schedule.vector_hops == describe(topology).diameter_hops
    other = one_vector(topology, MACHINE, np.array([0, 1]))
    assert schedule.network_cycles > other.network_cycles


def test_a_cheaper_relay_hop_pays_from_a_smaller_tensor_on() -> None:
    cheap = MACHINE.with_settings({"link.forward_cycles": 217})
    assert first_spread_bytes(cheap) < first_spread_bytes(MACHINE)
    assert first_spread_bytes(MACHINE) % MACHINE.link.vector_bytes == 0


def test_in_a_node_all_chips_are_a_hop_apart() -> None:
    node = select_topology(8)
    near = one_vector(node, MACHINE, np.array([0, 1]))
    far = one_vector(node, MACHINE, farthest_pair(node))
    assert near.latency_cycles == far.latency_cycles
