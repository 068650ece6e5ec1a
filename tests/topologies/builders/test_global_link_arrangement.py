import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.errors import TopologyError
from topologies.builders.global_link_arrangement import (
    Arrangement,
    GroupCables,
    even_arrangement,
    group_cables,
)

arrangements = st.integers(2, 60).flatmap(
    lambda groups: st.builds(
        even_arrangement, st.just(groups), st.integers(groups - 1, 200)
    )
)


@given(arrangements)
def test_the_mate_of_the_mate_is_the_port_itself(arrangement: Arrangement) -> None:
    ports = np.arange(len(arrangement.mate))
    assert np.array_equal(arrangement.mate[arrangement.mate], ports)


@given(arrangements)
def test_going_there_and_back_ends_at_the_same_group(arrangement: Arrangement) -> None:
    there = arrangement.offset
    back = arrangement.offset[arrangement.mate]
    assert ((there + back) % arrangement.groups == 0).all()
    assert (there > 0).all()


@given(st.integers(2, 60), st.integers(0, 150))
def test_only_an_odd_port_among_odd_groups_stays_free(groups: int, more: int) -> None:
    ports = groups - 1 + more
    free = ports - len(even_arrangement(groups, ports).offset)
    assert free == (groups % 2 and ports % 2)


@given(arrangements)
def test_no_pair_of_groups_has_two_cables_more_than_another(
    arrangement: Arrangement,
) -> None:
    cables = np.bincount(arrangement.offset, minlength=arrangement.groups)[1:]
    assert cables.max() - cables.min() <= 1


@given(arrangements)
def test_every_port_of_every_group_has_one_cable(arrangement: Arrangement) -> None:
    cables = group_cables(arrangement)
    ports = len(arrangement.offset)
    ends = np.concatenate(
        [
            cables.source * ports + cables.source_port,
            cables.target * ports + cables.target_port,
        ]
    )
    assert sorted(ends.tolist()) == list(range(arrangement.groups * ports))


@given(arrangements)
def test_turning_the_ring_of_groups_gives_the_same_cables(
    arrangement: Arrangement,
) -> None:
    def turned(by: int) -> set[frozenset[tuple[int, int]]]:
        groups = arrangement.groups
        return {
            frozenset({((a + by) % groups, p), ((b + by) % groups, q)})
            for a, p, b, q in zip(
                *(array.tolist() for array in group_cables(arrangement)), strict=True
            )
        }

    assert turned(0) == turned(1)


@pytest.mark.parametrize(
    ("groups", "ports", "message"),
    [
        (10, 8, "10 groups cannot be fully connected: 8 outward ports reach 9 groups"),
        (1, 8, "at least 2 groups, got 1"),
    ],
)
def test_impossible_arrangements_are_refused(
    groups: int, ports: int, message: str
) -> None:
    with pytest.raises(TopologyError, match=message):
        even_arrangement(groups, ports)


def test_two_groups_with_two_ports_have_two_crossed_cables() -> None:
    cables = group_cables(even_arrangement(groups=2, ports=2))
    assert isinstance(cables, GroupCables)
    assert [ends.tolist() for ends in cables] == [[0, 0], [0, 1], [1, 1], [1, 0]]
