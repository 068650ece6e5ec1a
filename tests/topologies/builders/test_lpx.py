from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.errors import TopologyError
from specs.machine import load_machine
from topologies.builders.lpx import PORTS_PER_LPX_CHIP, lpx_topology
from topologies.metrics.summary import describe
from topologies.routing.breadth_first import hop_counts
from topologies.selection import select_topology
from topologies.spare_nodes import select_with_spares
from topologies.topology import Level

GROUPS = st.integers(1, 16)


@given(GROUPS)
def test_pairs_of_a_group_share_four_cables_and_pairs_of_alike_two(groups: int) -> None:
    rack = lpx_topology(groups)
    assert (rack.chips, set(rack.rack.tolist())) == (16 * groups, {0})
    assert rack.links == groups * 120 * 4 + groups * (groups - 1) // 2 * 16 * 2
    pairs = Counter(zip(rack.source.tolist(), rack.target.tolist(), strict=True))
    for (source, target), cables in pairs.items():
        same_group = source // 16 == target // 16
        assert cables == (4 if same_group else 2)
        assert same_group or source % 16 == target % 16


@given(GROUPS)
def test_the_far_end_of_the_far_end_is_the_port_itself(groups: int) -> None:
    rack = lpx_topology(groups)
    here = list(zip(rack.source.tolist(), rack.source_port.tolist(), strict=True))
    there = zip(rack.target.tolist(), rack.target_port.tolist(), strict=True)
    mate = dict(zip(here, there, strict=True))
    assert len(mate) == len(here)
    assert all(mate[mate[end]] == end != mate[end] for end in here)


@given(GROUPS)
def test_all_chips_have_as_many_links_and_the_same_ports(groups: int) -> None:
    rack = lpx_topology(groups)
    used = 60 + 2 * (groups - 1)
    ports = rack.source_port.reshape(-1)[np.argsort(rack.source, kind="stable")]
    by_chip = np.sort(ports.reshape(rack.chips, -1), axis=1)
    assert np.array_equal(by_chip, np.tile(np.arange(used), (rack.chips, 1)))
    assert used <= PORTS_PER_LPX_CHIP - 4 == 92


def test_a_rack_is_256_chips_two_hops_wide() -> None:
    rack = lpx_topology()
    facts = describe(rack)
    assert (rack.chips, rack.links, facts.diameter_hops) == (256, 11_520, 2)
    # 15 of the group and 15 alike at one hop, the other 225 at two.
    assert facts.mean_hops == pytest.approx((30 + 2 * 225) / 255)
    assert facts.degree == {"min": 90, "max": 90}
    assert set(rack.node.tolist()) == set(range(16))
    outward = rack.level == Level.RACK
    assert np.count_nonzero(outward) == 256 * 30
    assert load_machine("lpx").chip.ports == PORTS_PER_LPX_CHIP


def test_every_chip_sees_the_rack_as_the_first_one_does() -> None:
    rack = lpx_topology(5)
    hops = hop_counts(rack.adjacency(), list(range(rack.chips)))
    assert rack.representatives == (0,)
    for chip in range(rack.chips):
        assert np.array_equal(np.bincount(hops[:, chip]), np.bincount(hops[:, 0]))


@given(st.integers(1, 256))
def test_as_many_groups_are_built_as_hold_the_chips(chips: int) -> None:
    rack = select_topology(chips, "lpx", ports_per_chip=PORTS_PER_LPX_CHIP)
    assert rack.active.tolist() == list(range(chips))
    assert chips <= rack.chips < chips + 16


def test_spare_groups_stand_beside_those_that_work() -> None:
    rack = select_with_spares(
        200, "lpx", spare_nodes=1, ports_per_chip=PORTS_PER_LPX_CHIP
    )
    assert (rack.chips, rack.active_chips) == (14 * 16, 200)
    with pytest.raises(TopologyError, match="16 groups of 16 chips, got 17"):
        select_with_spares(256, "lpx", spare_nodes=1, ports_per_chip=96)


def test_more_than_a_rack_is_refused() -> None:
    with pytest.raises(TopologyError, match=r"257 chips .* holds 256.*not published"):
        select_topology(257, "lpx")
