import numpy as np
import pytest

from compiler.collectives.reduce_to_owners import Walk
from compiler.routing.gateways import Gateways
from topologies.selection import select_topology

MACHINES = {
    "node": (8, "auto"),
    "two nodes": (16, "nodes33"),
    "rack": (72, "auto"),
    "most of 33 nodes": (256, "nodes33"),
    "two racks": (144, "dragonfly"),
    "five racks": (360, "dragonfly"),
}
every_machine = pytest.mark.parametrize("name", MACHINES)


@every_machine
def test_each_share_of_each_chip_reaches_its_owner_and_none_is_lost(name: str) -> None:
    topology = select_topology(*MACHINES[name])
    chips = topology.active.astype(np.int64)
    size = np.ones(len(chips), dtype=np.int64)
    walk = Walk(Gateways(topology, chips), chips, size, merges=False)
    for step in walk.steps():
        step()
        there = np.bincount(walk.share, weights=walk.weight)
        assert there.tolist() == [len(chips)] * len(chips)
    assert walk.chip.tolist() == chips[walk.share].tolist()
