import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.errors import TopologyError
from topologies.builders.rack import rack_topology
from topologies.validation import check_active, check_cables, check_links

RACK = rack_topology()


@given(st.permutations(range(6)), st.integers(1, 6))
def test_any_choice_of_different_chips_may_be_active(
    order: list[int], active: int
) -> None:
    check_active(6, np.array(order[:active], np.int32))


@pytest.mark.parametrize(
    ("chips", "active", "message"),
    [
        (0, [], "a machine needs at least 1 chip, got 0"),
        (3, [], "no chip is active; name at least 1 of the 3 chips"),
        (3, [0, 3], "active chip 3 does not exist: chips are numbered 0 to 2"),
        (3, [-1], "active chip -1 does not exist"),
        (3, [1, 0, 1], "chip 1 is active 2 times; name it once"),
    ],
)
def test_an_impossible_choice_of_active_chips_is_refused(
    chips: int, active: list[int], message: str
) -> None:
    with pytest.raises(TopologyError, match=message):
        check_active(chips, np.array(active, np.int32))


@pytest.mark.parametrize(
    ("level", "length_m", "message"),
    [
        ([0, 0, 2, 2], [1, 1, 1, 1], "cable 1 has level 2: levels are 0 to 1"),
        ([-1, 0, 0, 0], [1, 1, 1, 1], "cable 0 has level -1"),
        ([0, 0, 0, 0], [1, 1, 0, 0], "cable 1 is 0.0 m long"),
        ([0, 0, 0, 0], [np.inf, 1, 1, 1], "cable 0 is inf m long"),
    ],
)
def test_a_cable_of_no_level_or_length_is_refused(
    level: list[int], length_m: list[float], message: str
) -> None:
    check_cables(np.array([0, 1], np.int8), np.array([0.1, 9.0]), levels=2)
    with pytest.raises(TopologyError, match=message):
        check_cables(np.array(level, np.int8), np.array(length_m, float), levels=2)


@given(st.integers(0, 2 * RACK.links - 1))
def test_a_link_that_does_not_return_where_it_came_from_is_refused(link: int) -> None:
    ends = (RACK.source, RACK.target, RACK.source_port, RACK.target_port)
    check_links(RACK.chips, *ends)
    target = RACK.target.copy()
    target[link] = (target[link] + 1) % RACK.chips
    first = link // 2 * 2
    message = f"directed links {first} and {first + 1} are not the two directions"
    with pytest.raises(TopologyError, match=message):
        check_links(RACK.chips, RACK.source, target, *ends[2:])


def test_a_chip_has_no_more_links_than_ports() -> None:
    ends = (RACK.source, RACK.target, RACK.source_port, RACK.target_port)
    check_links(RACK.chips, *ends, ports_per_chip=11)
    with pytest.raises(TopologyError, match="has 11 links but 10 ports; remove 1 of"):
        check_links(RACK.chips, *ends, ports_per_chip=10)


def test_a_chip_without_links_is_out_of_reach() -> None:
    ends = (RACK.source, RACK.target, RACK.source_port, RACK.target_port)
    with pytest.raises(TopologyError, match="chip 72 cannot be reached from chip 0"):
        check_links(RACK.chips + 1, *ends)
