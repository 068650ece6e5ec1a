import numpy as np
import pytest

from compiler.collectives.reduce_to_owners import ShareRouting, to_owners
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
    routing = ShareRouting(Gateways(topology, chips), chips, size, merges=False)
    for step in routing.steps():
        step()
        there = np.bincount(routing.share, weights=routing.weight)
        assert there.tolist() == [len(chips)] * len(chips)
    assert routing.chip.tolist() == chips[routing.share].tolist()


def test_in_a_node_every_chip_sends_each_share_to_its_owner_in_one_phase() -> None:
    topology = select_topology(4)
    chips = np.arange(4, dtype=np.int64)
    (made,) = to_owners(Gateways(topology, chips), chips, np.array([10, 20, 30, 40]))
    assert made.adds
    # The size of a share is that of its owner.
    assert set(made.messages) == {
        (source, target, 10 * (target + 1))
        for source in range(4)
        for target in range(4)
        if source != target
    }


@every_machine
def test_merged_shares_are_sent_once_and_separate_ones_are_not(name: str) -> None:
    topology = select_topology(*MACHINES[name])
    chips = topology.active.astype(np.int64)
    gateways, size = Gateways(topology, chips), np.ones(len(chips), dtype=np.int64)
    merged, separate = (
        sum(
            int(made.messages.payload_bytes.sum())
            for made in to_owners(gateways, chips, size, merges=merges)
        )
        for merges in (True, False)
    )
    # With merges, each share of each chip is added to another exactly once.
    assert merged == len(chips) * (len(chips) - 1)
    assert separate >= merged
