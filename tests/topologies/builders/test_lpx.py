from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specs.errors import TopologyError
from specs.machine import load_machine
from topologies.builders.lpx import (
    LPX_CHIPS,
    MOST_LPX_RACKS,
    PORTS_PER_LPX_CHIP,
    lpx_holding,
    lpx_racks,
    lpx_topology,
)
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
    # The last group of each rack rests, so that a rack has 240 that work.
    both = select_with_spares(
        256, "lpx", spare_nodes=1, ports_per_chip=PORTS_PER_LPX_CHIP
    )
    assert (both.chips, both.active_chips) == (512, 256)
    assert not set(both.active.tolist()) & set(range(240, 256))


def test_a_rack_has_no_seventeenth_group() -> None:
    with pytest.raises(TopologyError, match="16 groups of 16 chips, got 17"):
        lpx_topology(17)


@given(st.integers(2, MOST_LPX_RACKS))
@settings(max_examples=5)
def test_racks_share_their_outward_ports_evenly(racks: int) -> None:
    system = lpx_racks(racks)
    outward = system.level == Level.GLOBAL
    ends = system.rack[system.source[outward]], system.rack[system.target[outward]]
    cables = Counter(zip(*(each.tolist() for each in ends), strict=True))
    assert len(cables) == racks * (racks - 1)
    assert all(source != target for source, target in cables)
    assert max(cables.values()) - min(cables.values()) <= 1
    # At most four of a chip, and none of a rack is free but a last odd one.
    by_chip = np.bincount(system.source[outward], minlength=system.chips)
    assert by_chip.max() == 4
    assert 1024 * racks - by_chip.sum() in (0, racks)


def test_a_rack_of_several_is_wired_as_one_alone() -> None:
    alone, system = lpx_topology(), lpx_racks(3)
    for rack in range(3):
        inside = (system.rack[system.source] == rack) & (system.level != Level.GLOBAL)
        pairs = zip(
            (system.source[inside] - LPX_CHIPS * rack).tolist(),
            (system.target[inside] - LPX_CHIPS * rack).tolist(),
            strict=True,
        )
        wired = zip(alone.source.tolist(), alone.target.tolist(), strict=True)
        assert Counter(pairs) == Counter(wired)


def test_every_rack_sees_the_others_as_the_first_one_does() -> None:
    system = lpx_racks(3)
    first = hop_counts(system.adjacency(), list(range(LPX_CHIPS)))
    last = hop_counts(system.adjacency(), list(range(2 * LPX_CHIPS, 3 * LPX_CHIPS)))
    assert np.array_equal(np.bincount(first.ravel()), np.bincount(last.ravel()))
    # Two hops in each rack at most, and a cable between them.
    assert first.max() <= 5


def test_more_than_the_largest_system_is_refused() -> None:
    most = MOST_LPX_RACKS * LPX_CHIPS
    assert lpx_holding(257).chips == 512
    with pytest.raises(TopologyError, match=rf"{most + 1} chips .* not published"):
        lpx_holding(most + 1)
    with pytest.raises(TopologyError, match="41 LPX racks asked for"):
        lpx_racks(MOST_LPX_RACKS + 1)
