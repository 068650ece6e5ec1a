import json
from collections import Counter
from dataclasses import fields, replace

import networkx as nx
import numpy as np
import pytest

from topologies.builders.all_to_all_nodes import nodes33_topology
from topologies.builders.dragonfly import dragonfly_topology
from topologies.builders.node import node_topology
from topologies.builders.rack import rack_topology
from topologies.io.networkx_graph import from_networkx
from topologies.metrics.summary import (
    TopologySummary,
    describe,
    fingerprint,
    hop_histogram,
)
from topologies.routing import breadth_first
from topologies.topology import Topology

SMALL = [
    node_topology(),
    rack_topology(),
    nodes33_topology(),
    dragonfly_topology(2),
    dragonfly_topology(3),
]


def test_the_figures_of_a_node_can_be_counted_by_hand() -> None:
    assert describe(node_topology()).to_dict() == {
        "name": "node",
        "chips": 8,
        "active_chips": 8,
        "links": 28,
        "links_by_level": {"local": 28, "rack": 0, "global": 0},
        "cable_length_m": {"local": 21.0, "rack": 0.0, "global": 0.0},
        "degree": {"min": 7, "max": 7},
        "diameter_hops": 1,
        "mean_hops": 1.0,
        "hop_histogram": {1: 56},
        "diameter_gateway_hops": 1,
        "mean_gateway_hops": 1.0,
        "bisection_links": 16,
        "fingerprint": "35ecc49e5d053a95",
    }


def test_a_summary_is_ready_for_json() -> None:
    summary = describe(rack_topology())
    assert json.loads(json.dumps(summary.to_dict()))["links_by_level"] == {
        "local": 252,
        "rack": 144,
        "global": 0,
    }


@pytest.mark.parametrize("topology", SMALL, ids=lambda built: f"{built.chips}")
def test_representatives_give_exactly_the_figures_of_all_chips(
    topology: Topology,
) -> None:
    assert describe(topology) == describe(replace(topology, representatives=None))


@pytest.mark.parametrize("topology", SMALL, ids=lambda built: f"{built.chips}")
def test_hop_histogram_agrees_with_networkx(topology: Topology) -> None:
    expected: Counter[int] = Counter()
    for _, distances in nx.all_pairs_shortest_path_length(topology.to_networkx()):
        expected.update(distances.values())
    del expected[0]
    assert describe(topology).hop_histogram == expected


def test_gateway_hops_are_never_more_than_chip_hops() -> None:
    for topology in SMALL:
        summary = describe(topology)
        assert summary.diameter_gateway_hops <= summary.diameter_hops
        assert summary.mean_gateway_hops <= summary.mean_hops


def test_the_largest_system_is_six_chip_hops_and_five_gateway_hops_wide() -> None:
    summary = describe(dragonfly_topology(145))
    assert summary.diameter_hops == 6
    assert summary.diameter_gateway_hops == 5  # the published "at most 5 hops"
    assert summary.mean_hops == pytest.approx(4.876, abs=5e-4)
    assert sum(summary.hop_histogram.values()) == 10_440 * 10_439


@pytest.mark.parametrize("starts", [1, 64, 71])
def test_searching_in_small_blocks_changes_nothing(
    starts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rack = replace(rack_topology(), representatives=None)
    at_once = describe(rack)
    monkeypatch.setattr(breadth_first, "BLOCK_STARTS", starts)
    assert describe(rack) == at_once


def test_a_single_chip_has_no_distances() -> None:
    graph: nx.Graph[int] = nx.empty_graph(1)
    summary = describe(from_networkx(graph))
    assert (summary.diameter_hops, summary.mean_hops) == (0, 0.0)
    assert summary.hop_histogram == {}
    assert summary.diameter_gateway_hops == 0


def test_fingerprint_forgets_cable_order_but_not_ports() -> None:
    node = node_topology()
    backwards = {
        name: getattr(node, name)[::-1]
        for name in ("source", "target", "source_port", "target_port")
    }
    assert fingerprint(replace(node, **backwards)) == fingerprint(node)
    other_ports = replace(
        node, source_port=6 - node.source_port, target_port=6 - node.target_port
    )
    assert fingerprint(other_ports) != fingerprint(node)
    other_level = replace(node, level=np.ones(56, np.int8))
    assert fingerprint(other_level) != fingerprint(node)


def test_a_summary_has_its_fields_in_the_order_of_the_report() -> None:
    names = [field.name for field in fields(TopologySummary)]
    assert list(describe(node_topology()).to_dict()) == names


def test_a_row_of_four_chips_has_two_pairs_at_each_distance_from_its_ends() -> None:
    row = from_networkx(nx.path_graph(4))
    assert hop_histogram(row, [0, 3]).tolist() == [0, 2, 2, 2]
    assert hop_histogram(row, [1]).tolist() == [0, 2, 1]
