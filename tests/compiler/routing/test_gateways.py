import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.routing.gateways import Crossings, Gateways
from topologies.selection import select_topology


@pytest.mark.parametrize(
    ("chips", "kind", "complete"),
    [
        (8, "auto", True),
        (72, "auto", True),
        (144, "auto", True),
        (256, "nodes33", True),
        (264, "nodes33", True),
    ],
)
def test_whole_machines_have_gateways_between_all_groups(
    chips: int, kind: str, complete: bool
) -> None:
    topology = select_topology(chips, kind)
    gateways = Gateways(topology, topology.active.astype(np.int64))
    assert gateways.complete is complete


@pytest.mark.parametrize("members", [[0, 20], [0, 8, 100], list(range(4, 12))])
def test_chips_that_do_not_reach_each_other_in_levels_have_not(
    members: list[int],
) -> None:
    topology = select_topology(144)
    assert not Gateways(topology, np.array(members, dtype=np.int64)).complete


def test_parallel_links_are_picked_in_turn_and_lead_from_group_to_group() -> None:
    topology = select_topology(144)
    gateways = Gateways(topology, topology.active.astype(np.int64))
    number = np.arange(288, dtype=np.int64)
    zero, one = 0 * number, 0 * number + 1
    assert gateways.between_racks.count(zero, one).tolist() == [144] * 288
    picked = gateways.between_racks.pick(zero, one, number)
    assert len(set(picked.tolist())) == 144
    assert picked[:144].tolist() == picked[144:].tolist()
    assert set(topology.rack[topology.source[picked]].tolist()) == {0}
    assert set(topology.rack[topology.target[picked]].tolist()) == {1}


def test_crossings_are_sorted_by_pair_and_then_by_source_chip() -> None:
    node = select_topology(8)
    # Chips 0-3 and 4-7: 4 x 4 links each way.
    halves = np.repeat(np.array([0, 1], dtype=np.int64), 4)
    crossings = Crossings(node, halves, np.arange(len(node.source), dtype=np.int64))
    assert crossings.pairs() == 2
    assert crossings.parallel.tolist() == [16] * 32
    assert crossings.place.tolist() == 2 * list(range(16))
    source = node.source[crossings.links].tolist()
    assert source == np.repeat(np.arange(8), 4).tolist()


@given(vectors=st.integers(0, 999))
def test_parallel_links_share_what_their_pair_sends(vectors: int) -> None:
    node = select_topology(8)
    halves = np.repeat(np.array([0, 1], dtype=np.int64), 4)
    crossings = Crossings(node, halves, np.arange(len(node.source), dtype=np.int64))
    shared = crossings.shared(np.full(32, vectors, dtype=np.int64))
    assert shared[:16].sum() == shared[16:].sum() == vectors
    assert shared.max() - shared.min() <= 1
