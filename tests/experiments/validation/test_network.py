import numpy as np
import pytest

from experiments.analysis.network_latency import (
    first_spread_bytes,
    one_vector,
    smallest_all_reduce,
    worst_pair,
)
from specs.machine import load_machine
from topologies.metrics.summary import describe
from topologies.selection import select_topology

MACHINE = load_machine()


def test_the_smallest_all_reduce_takes_three_hops_without_a_forward() -> None:
    made = smallest_all_reduce(MACHINE)
    assert made.timeline.stage_hops == (3,)
    assert (made.program.trains.previous < 0).all()
    assert made.network_cycles / 0.9 == pytest.approx(3 * 722, rel=0.05)


def test_the_worst_pair_is_as_far_apart_as_the_machine_is_wide() -> None:
    topology = select_topology(144)
    pair = worst_pair(topology)
    made = one_vector(topology, MACHINE, pair)
    assert made.vector_hops == describe(topology).diameter_hops
    other = one_vector(topology, MACHINE, np.array([0, 1]))
    assert made.network_cycles > other.network_cycles


def test_a_cheaper_forward_lets_smaller_tensors_spread() -> None:
    first = [
        first_spread_bytes(MACHINE.with_settings({"link.forward_cycles": cycles}))
        for cycles in (217, 500, 650)
    ]
    assert first == sorted(first)
    assert first[0] < first[-1]
