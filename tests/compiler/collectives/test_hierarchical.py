from collections import Counter

import numpy as np
import pytest

from compiler.collectives.hierarchical import hierarchical_forms
from compiler.collectives.phases import Phase
from specs.arrays import Ints
from topologies.selection import select_topology
from topologies.topology import Topology
from workloads.collective import Collective

MACHINES = {
    "node": (8, "auto"),
    "two nodes": (16, "nodes33"),
    "rack": (72, "auto"),
    "most of 33 nodes": (256, "nodes33"),
    "two racks": (144, "dragonfly"),
    "five racks": (360, "dragonfly"),
    "three groups": (48, "lpx"),
}
every_machine = pytest.mark.parametrize("name", MACHINES)


def machine(name: str) -> tuple[Topology, Ints]:
    topology = select_topology(*MACHINES[name])
    return topology, topology.active.astype(np.int64)


def forms(name: str, kind: Collective, vectors: int) -> dict[str, list[Phase]]:
    topology, chips = machine(name)
    return hierarchical_forms(topology, kind, chips, vectors)


def links(made: Phase) -> list[int]:
    assert made.messages.path is not None
    return made.messages.path.ravel().tolist()


def dimension(topology: Topology, made: Phase) -> str:
    """Return what the messages of a phase cross: chips of a node, nodes or racks."""
    sent = made.messages
    if (topology.node[sent.source] == topology.node[sent.target]).all():
        return "node"
    same = topology.rack[sent.source] == topology.rack[sent.target]
    return "rack" if same.all() else "global"


@every_machine
@pytest.mark.parametrize("kind", list(Collective))
def test_every_hop_is_one_link_between_two_members(name: str, kind: Collective) -> None:
    topology, chips = machine(name)
    by_form = hierarchical_forms(topology, kind, chips, 3 * len(chips))
    by_form.pop("cut-through", None)
    for stages in by_form.values():
        for sent in (made.messages for made in stages):
            assert sent.path is not None
            (link,) = sent.path.T
            assert topology.source[link].tolist() == sent.source.tolist()
            assert topology.target[link].tolist() == sent.target.tolist()
            assert len(set(link.tolist())) == len(link)
            assert set(sent.source.tolist()) <= set(chips.tolist())


@every_machine
def test_in_an_all_to_all_every_chip_receives_what_it_sends(name: str) -> None:
    topology, chips = machine(name)
    stages = forms(name, Collective.ALL_TO_ALL, 2 * len(chips))["bundled"]
    balance = np.zeros(topology.chips)
    for made in stages:
        sent = made.messages
        np.add.at(balance, sent.target, sent.payload_bytes)
        np.subtract.at(balance, sent.source, sent.payload_bytes)
    assert not balance.any()


@every_machine
def test_a_chip_sends_each_share_of_a_reduction_once(name: str) -> None:
    topology, chips = machine(name)
    (stages,) = forms(name, Collective.REDUCE_SCATTER, len(chips)).values()
    sent = np.zeros(topology.chips)
    for made in stages:
        np.add.at(sent, made.messages.source, made.messages.payload_bytes)
    # What a chip sends are sums of all but its own share; merged sums come on top.
    assert (sent[chips] >= len(chips) - 1).all()
    arrived = np.zeros(topology.chips)
    last = stages[-1].messages
    np.add.at(arrived, last.target, last.payload_bytes)
    assert arrived[chips].sum() > 0


@every_machine
def test_a_whole_all_reduce_counts_every_chip_exactly_once(name: str) -> None:
    topology, chips = machine(name)
    stages = forms(name, Collective.ALL_REDUCE, 1)["whole"]
    fresh = {chip: Counter([chip]) for chip in chips.tolist()}
    below: list[dict[int, Counter[int]]] = []
    for place, made in enumerate(stages):
        arrived = {chip: Counter[int]() for chip in fresh}
        for source, target, _ in made.messages:
            arrived[target].update(fresh[source])
        if dimension(topology, made) != "node":
            # What the group has is kept; what comes from other groups is summed apart.
            below.append(fresh)
            fresh = arrived
            continue
        fresh = {chip: own + arrived[chip] for chip, own in fresh.items()}
        following = (
            dimension(topology, stages[place + 1]) if stages[place + 1 :] else ""
        )
        # A rack is summed up before it is added to what was there before the racks.
        returns = len(below) if following != "rack" else 0
        for _ in range(returns):
            kept = below.pop()
            fresh = {chip: own + kept[chip] for chip, own in fresh.items()}
    assert not below
    assert all(own == Counter(chips.tolist()) for own in fresh.values())


def test_small_tensors_cross_256_chips_in_three_hops() -> None:
    topology, _ = machine("most of 33 nodes")
    stages = forms("most of 33 nodes", Collective.ALL_REDUCE, 1)["whole"]
    crossed = [dimension(topology, made) for made in stages]
    assert crossed == ["node", "rack", "node"]


@every_machine
def test_an_all_gather_is_a_reduce_scatter_run_backwards(name: str) -> None:
    _, chips = machine(name)
    (scatter,) = forms(name, Collective.REDUCE_SCATTER, len(chips)).values()
    (gather,) = forms(name, Collective.ALL_GATHER, len(chips)).values()
    for there, back in zip(scatter, reversed(gather), strict=True):
        sent, returned = there.messages, back.messages
        assert sent.source.tolist() == returned.target.tolist()
        assert sent.payload_bytes.tolist() == returned.payload_bytes.tolist()
        assert not back.adds


@pytest.mark.parametrize("kind", ["reduce-scatter", "all-gather", "all-reduce"])
def test_more_shares_of_an_owner_move_as_much_over_all_cables(kind: str) -> None:
    topology, chips = machine("three groups")
    moved, used = zip(
        *(
            (
                sum(int(made.messages.payload_bytes.sum()) for made in stages),
                len({link for made in stages for link in links(made)}),
            )
            for stripes in (1, 4)
            for name, stages in hierarchical_forms(
                topology, Collective(kind), chips, 40 * len(chips), stripes=stripes
            ).items()
            if name != "whole"
        ),
        strict=True,
    )
    assert moved[0] == moved[1]
    assert used[0] < used[1] == 2 * topology.links


@every_machine
def test_a_broadcast_brings_every_part_to_every_chip_once(name: str) -> None:
    _, chips = machine(name)
    (stages,) = forms(name, Collective.BROADCAST, 5).values()
    arrived = Counter[int]()
    for made in stages:
        for message in made.messages:
            arrived[message.target] += message.payload_bytes
    assert arrived == {chip: 5 for chip in chips.tolist() if chip != chips[0]}


def test_members_that_are_not_all_linked_have_no_hierarchy() -> None:
    topology = select_topology(72)
    apart = np.array([0, 20], dtype=np.int64)
    assert hierarchical_forms(topology, Collective.ALL_REDUCE, apart, 9) == {}
