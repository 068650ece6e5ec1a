import numpy as np
import pytest

from compiler.routing.gateways import Gateways
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
