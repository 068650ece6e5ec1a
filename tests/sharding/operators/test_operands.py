import numpy as np

from sharding.operators.operands import operand, shards

FIRST, LAST = np.array([0, 3, 3]), np.array([3, 3, 7])


def test_chips_with_an_empty_region_have_no_operand() -> None:
    made = operand("value", FIRST, LAST)
    assert made.member.tolist() == [0, 2]
    assert made.first.tolist() == [0, 3]
    assert made.last.tolist() == [3, 7]
    # A value that is no partial sum has one part.
    assert made.part_first.tolist() == [0, 0]
    assert made.part_last.tolist() == [1, 1]
    parts = operand("sum", 0, LAST, np.array([0, 4, 4]), np.array([4, 4, 8]))
    assert parts.member.tolist() == [0, 2]


def test_each_member_of_a_reduce_scatter_has_a_shard_and_its_parts() -> None:
    made = shards("sum", FIRST, LAST, np.array([0, 4, 8]), np.array([4, 8, 8]))
    assert made.member.tolist() == [0, 1, 2]
    assert made.part_last.tolist() == [4, 8, 8]
