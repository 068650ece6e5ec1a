"""Latencies of the network: pairs far apart, one vector, and multipath sends."""

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest

from experiments.analysis.network_latency import (
    first_spread_bytes,
    one_vector,
    smallest_all_reduce,
    worst_pair,
)
from experiments.analysis.other_simulators import path_topology
from specs.machine import load_machine
from topologies.io.networkx_graph import from_networkx
from topologies.metrics.summary import describe
from topologies.selection import select_topology

MACHINE = load_machine()


def test_the_worst_pair_of_a_path_is_its_ends() -> None:
    assert sorted(worst_pair(path_topology(5)).tolist()) == [0, 4]


def test_of_pairs_equally_many_hops_apart_the_one_on_longer_cables_is_worst() -> None:
    star = from_networkx(nx.star_graph(4), name="star")
    ends = np.stack([star.source, star.target])
    far = np.isin(ends, (2, 4)).any(axis=0)
    star = replace(star, length_m=np.where(far, 5.0, 1.0))
    assert sorted(worst_pair(star).tolist()) == [2, 4]


def test_every_hop_of_a_vector_takes_as_long_as_the_next() -> None:
    path = path_topology(4)
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
    pair = worst_pair(topology)
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
    far = one_vector(node, MACHINE, worst_pair(node))
    assert near.latency_cycles == far.latency_cycles
