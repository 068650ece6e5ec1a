from hypothesis import given
from hypothesis import strategies as st

from sharding.parallelism.ranges import (
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
def test_a_team_shares_one_head_and_counts_its_members(
    kv_heads: int, width: int
) -> None:
    split = head_split(kv_heads, width)
    for head in range(kv_heads):
        team = (split.first <= head) & (head < split.first + split.heads)
        assert split.member[team].tolist() == list(range(int(team.sum())))
        assert set(split.members[team].tolist()) == {int(team.sum())}


def test_up_to_a_chip_per_head_heads_stay_whole() -> None:
    split = head_split(8, 7)
    assert split.heads.tolist() == [1, 1, 1, 1, 1, 1, 2]
    assert split.members.tolist() == [1] * 7


def test_beyond_a_chip_per_head_teams_form() -> None:
    split = head_split(2, 5)
    assert split.first.tolist() == [0, 0, 1, 1, 1]
    assert split.member.tolist() == [0, 1, 0, 1, 2]
    assert head_sizes(split, 8).tolist() == [4, 4, 2, 3, 3]
