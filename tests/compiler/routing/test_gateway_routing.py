from typing import NamedTuple

import numpy as np
import pytest

from compiler.routing.gateway_routing import gateway_paths
from compiler.routing.gateways import Gateways
from specs.arrays import Ints
from topologies.selection import select_topology
from topologies.topology import Level, Topology

MACHINES = {
    "node": (8, "auto"),
    "two nodes": (16, "nodes33"),
    "rack": (72, "auto"),
    "most of 33 nodes": (256, "nodes33"),
    "two racks": (144, "dragonfly"),
    "five racks": (360, "dragonfly"),
}
every_machine = pytest.mark.parametrize("name", MACHINES)


class Pairs(NamedTuple):
    """Every ordered pair of chips, and its links."""

    source: Ints
    target: Ints
    path: Ints


def all_pairs(topology: Topology) -> Pairs:
    chips = topology.active.astype(np.int64)
    a, b = np.divmod(np.arange(len(chips) ** 2), len(chips))
    source, target = chips[a[a != b]], chips[b[a != b]]
    paths = gateway_paths(Gateways(topology, chips), source, target)
    return Pairs(source, target, paths.astype(np.int64))


@every_machine
def test_gateways_lead_every_pair_over_at_most_one_link_between_racks(
    name: str,
) -> None:
    topology = select_topology(*MACHINES[name])
    made = all_pairs(topology)
    used = made.path >= 0
    hops = used.sum(axis=1)
    first = made.path[:, 0]
    last = made.path[np.arange(len(hops)), hops - 1]
    assert topology.source[first].tolist() == made.source.tolist()
    assert topology.target[last].tolist() == made.target.tolist()
    onward = used[:, 1:]
    before, after = made.path[:, :-1][onward], made.path[:, 1:][onward]
    assert topology.target[before].tolist() == topology.source[after].tolist()
    racks = topology.rack
    between = used & (
        racks[topology.source[made.path]] != racks[topology.target[made.path]]
    )
    leaves = racks[made.source] != racks[made.target]
    assert between.sum(axis=1).tolist() == leaves.astype(int).tolist()
    assert hops.max() <= 7


def test_over_gateways_the_33_nodes_carry_uniform_traffic_evenly() -> None:
    topology = select_topology(264, "nodes33")
    made = all_pairs(topology)
    load = np.bincount(made.path[made.path >= 0], minlength=len(topology.source))
    # 8 x 8 pairs of chips to each pair of nodes; a chip's traffic to 4 x 8 chips over
    # each gateway of its node, as much for it to the gateway's mates, and its own.
    assert set(load[topology.level == Level.GLOBAL].tolist()) == {64}
    assert set(load[topology.level == Level.LOCAL].tolist()) == {65}


def test_a_chip_needs_no_link_to_itself() -> None:
    node = select_topology(8)
    chips = node.active.astype(np.int64)
    paths = gateway_paths(Gateways(node, chips), chips, chips)
    assert (paths == -1).all()


def test_parallel_links_between_two_racks_carry_uniform_traffic_evenly() -> None:
    topology = select_topology(144, "dragonfly")
    made = all_pairs(topology)
    load = np.bincount(made.path[made.path >= 0], minlength=len(topology.source))
    # 72 x 72 pairs of chips over 144 links.
    assert set(load[topology.level == Level.GLOBAL].tolist()) == {36}
