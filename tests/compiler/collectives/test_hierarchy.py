from itertools import pairwise

import numpy as np
import pytest

from compiler.collectives.hierarchy import hierarchies
from topologies.selection import select_topology

RACK, TWO = select_topology(72), select_topology(144)


def test_a_group_within_a_node_has_no_levels_but_its_chips() -> None:
    assert list(hierarchies(RACK, np.arange(8))) == [""]


@pytest.mark.parametrize(
    ("chips", "names"),
    [
        (72, ["", "by slots", "by nodes"]),
        (144, ["", "by slots", "by nodes", "by racks"]),
    ],
)
def test_nodes_and_racks_are_levels_if_there_are_several(
    chips: int, names: list[str]
) -> None:
    assert list(hierarchies(TWO, np.arange(chips))) == names


def test_where_chips_have_no_nodes_rows_of_eight_are_levels() -> None:
    torus = select_topology(16, "torus:4x4")
    rows, _ = hierarchies(torus, np.arange(16))["by nodes"].groups
    assert rows.tolist() == [0] * 8 + [1] * 8


def test_messages_are_counted_before_they_are_made() -> None:
    for made in hierarchies(TWO, np.arange(0, 144, 3)).values():
        assert made.messages == sum(len(level.source) for level in made.levels)


def test_between_nodes_all_cables_carry_as_many_shards_of_the_fewest_hops() -> None:
    between, within = hierarchies(RACK, np.arange(72))["by nodes"].levels
    assert between.path is not None
    last = np.where(between.path[:, 1] >= 0, between.path[:, 1], between.path[:, 0])
    # Four cables lead from a node to another, and eight chips share them.
    assert np.bincount(last, minlength=len(RACK.source)).max() == 2
    assert (RACK.target[last] == between.target).all()
    # Half of the chips have a cable of their own; the others go to its chip first.
    assert (between.path[:, 1] < 0).sum() == len(last) // 2
    assert within.path is None
    assert len(within.source) == 72 * 7


def test_groups_without_a_cable_between_them_send_to_a_member_of_equal_rank() -> None:
    # Chips 0 and 1 of a node, and two of another to which neither has a cable.
    linked = {int(RACK.target[link]) for c in (0, 1) for link in RACK.out_links(c)}
    ends = [chip for chip in range(8, 72) if chip not in linked]
    pair = next(two for two in pairwise(ends) if two[0] // 8 == two[1] // 8)
    between, _ = hierarchies(RACK, np.array([0, 1, *pair]))["by nodes"].levels
    sent = set(zip(between.source.tolist(), between.target.tolist(), strict=True))
    assert sent == {(0, 2), (1, 3), (2, 0), (3, 1)}
