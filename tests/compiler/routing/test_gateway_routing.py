import numpy as np
import pytest

from compiler.collectives.hierarchical import hierarchical_forms
from compiler.collectives.stages import Collective, CollectiveStage
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


def uniform(topology: Topology, chips: Ints) -> CollectiveStage:
    ways = hierarchical_forms(topology, Collective.ALL_TO_ALL, chips, len(chips))
    (made,) = ways["cut-through"]
    return made


@every_machine
def test_an_all_to_all_over_gateways_leads_every_pair_over_one_link_between_racks(
    name: str,
) -> None:
    topology = select_topology(*MACHINES[name])
    chips = topology.active.astype(np.int64)
    made = uniform(topology, chips)
    pairs = set(zip(made.source.tolist(), made.target.tolist(), strict=True))
    assert len(pairs) == len(made.source) == len(chips) * (len(chips) - 1)
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
    chips = topology.active.astype(np.int64)
    made = uniform(topology, chips)
    load = np.bincount(made.path[made.path >= 0], minlength=len(topology.source))
    # 8 x 8 pairs of chips to each pair of nodes; a chip's traffic to 4 x 8 chips over
    # each gateway of its node, as much for it to the gateway's mates, and its own.
    assert set(load[topology.level == Level.GLOBAL].tolist()) == {64}
    assert set(load[topology.level == Level.LOCAL].tolist()) == {65}
