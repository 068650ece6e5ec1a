import numpy as np
import pytest

from experiments.traffic.uniform_traffic import (
    BOUNDED,
    ROUTINGS,
    SIMULATED,
    bandwidth_bound,
    simulated_bandwidth,
)
from specs.machine import load_machine
from topologies.builders.all_to_all_nodes import node_system
from topologies.metrics.summary import fingerprint
from topologies.selection import select_topology

MACHINE = load_machine()


@pytest.mark.parametrize("nodes", [2, 3, 8])
def test_a_system_of_nodes_uses_its_outward_ports_between_all_pairs(nodes: int) -> None:
    topology = node_system(nodes)
    between = topology.node[topology.source] != topology.node[topology.target]
    source = topology.node[topology.source[between]]
    target = topology.node[topology.target[between]]
    each = np.bincount(source * nodes + target, minlength=nodes**2).reshape(nodes, -1)
    apart = each[~np.eye(nodes, dtype=bool)]
    assert apart.max() - apart.min() <= 1
    assert each.sum(axis=1).max() <= 32


def test_33_nodes_are_the_264_chip_system() -> None:
    assert fingerprint(node_system(33)) == fingerprint(select_topology(264, "nodes33"))


@pytest.mark.parametrize("routing", list(ROUTINGS))
def test_simulated_traffic_comes_close_to_what_the_busiest_link_allows(
    routing: str,
) -> None:
    row = simulated_bandwidth(node_system(2), MACHINE, routing, seed=1)
    assert row.evaluated == SIMULATED
    assert row.violations == 0
    assert 0.95 * row.bound_gb_per_s < row.injected_gb_per_s < row.bound_gb_per_s
    assert row.leaving_node_gb_per_s == pytest.approx(row.injected_gb_per_s * 8 / 15)


def test_one_rack_stands_for_all_in_the_bound() -> None:
    topology = select_topology(144)
    sampled = bandwidth_bound(topology, MACHINE)
    assert sampled.evaluated == BOUNDED
    whole = simulated_bandwidth(topology, MACHINE, "over gateways", seed=1)
    assert sampled.bound_gb_per_s == pytest.approx(whole.bound_gb_per_s)
