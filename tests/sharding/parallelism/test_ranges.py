import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sharding.parallelism.ranges import (
    HeadSplit,
    TensorSlices,
    bounds,
    head_rows,
    head_sizes,
    head_split,
    shard_sizes,
)

widths = st.integers(1, 40)


@given(elements=st.integers(0, 10**6), width=widths)
def test_the_most_even_split_differs_by_one_at_most(elements: int, width: int) -> None:
    sizes = shard_sizes(elements, width)
    assert sizes.sum() == elements
    assert sizes.max() - sizes.min() <= 1
    assert bounds(elements, width)[[0, -1]].tolist() == [0, elements]


@given(kv_heads=st.integers(1, 16), width=widths, rows=st.integers(1, 64))
def test_the_rows_of_all_heads_follow_one_another(
    kv_heads: int, width: int, rows: int
) -> None:
    start, end = head_rows(head_split(kv_heads, width), rows)
    assert start[0] == 0
    assert end[-1] == kv_heads * rows
    assert start[1:].tolist() == end[:-1].tolist()


@given(kv_heads=st.integers(1, 16), width=widths)
def test_a_kv_head_group_shares_one_head_and_counts_its_members(
    kv_heads: int, width: int
) -> None:
    split = head_split(kv_heads, width)
    for head in range(kv_heads):
        group = (split.first <= head) & (head < split.first + split.heads)
        assert split.member[group].tolist() == list(range(int(group.sum())))
        assert set(split.members[group].tolist()) == {int(group.sum())}


def test_up_to_a_chip_per_head_heads_stay_whole() -> None:
    split = head_split(8, 7)
    assert split.heads.tolist() == [1, 1, 1, 1, 1, 1, 2]
    assert split.members.tolist() == [1] * 7


def test_beyond_a_chip_per_head_kv_head_groups_form() -> None:
    split = head_split(2, 5)
    assert split.first.tolist() == [0, 0, 1, 1, 1]
    assert split.member.tolist() == [0, 1, 0, 1, 2]
    assert head_sizes(split, 8).tolist() == [4, 4, 2, 3, 3]


def test_a_chip_of_a_kv_head_group_has_its_share_of_the_rows_of_the_head() -> None:
    one = np.array([1])
    last_of_three = HeadSplit(first=2 * one, heads=one, member=2 * one, members=3 * one)
    start, end = head_rows(last_of_three, 9)
    # Head 2 begins at row 18; its last three rows are the last third.
    assert (start.tolist(), end.tolist()) == ([24], [27])


def test_a_slice_has_the_elements_within_its_edges() -> None:
    row_start, row_end = np.array([0, 2]), np.array([2, 5])
    column_start, column_end = np.array([0, 3]), np.array([4, 4])
    slices = TensorSlices("w", 5, 4, row_start, row_end, column_start, column_end)
    assert slices.elements.tolist() == [8, 3]
