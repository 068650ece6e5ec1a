from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharding.parallelism.ranges import shard_sizes
from sharding.parallelism.tensor_group import (
    FeedForwardLayout,
    Range,
    TensorGroup,
    grid_inputs,
    group_of,
)


@st.composite
def groups(draw: st.DrawFn) -> TensorGroup:
    tensor = draw(st.integers(1, 80))
    divisors = [n for n in range(1, tensor + 1) if tensor % n == 0]
    layout = draw(st.sampled_from(FeedForwardLayout))
    expert = draw(st.sampled_from(divisors)) if layout is FeedForwardLayout.ONE_D else 1
    return group_of(tensor, expert, draw(st.sampled_from(divisors)), layout)


@given(group=groups(), hidden=st.integers(80, 300))
def test_shards_are_the_most_even_split_whoever_has_which(
    group: TensorGroup, hidden: int
) -> None:
    shards = group.shards(hidden)
    order = np.argsort(shards.start)
    assert shards.sizes[order].tolist() == shard_sizes(hidden, group.width).tolist()
    assert shards.start[order][0] == 0
    assert (shards.start[order][1:] == shards.end[order][:-1]).all()


@given(group=groups(), hidden=st.integers(80, 300))
def test_what_a_member_multiplies_with_is_what_its_row_gathers(
    group: TensorGroup, hidden: int
) -> None:
    shards, wanted = group.shards(hidden), group.input_range(hidden)
    for row in np.unique(group.row):
        members = np.flatnonzero(group.row == row)
        pieces = sorted(
            zip(
                shards.start[members].tolist(),
                shards.end[members].tolist(),
                strict=True,
            )
        )
        assert all(a[1] == b[0] for a, b in pairwise(pieces))
        assert (wanted.start[members] == pieces[0][0]).all()
        assert (wanted.end[members] == pieces[-1][1]).all()


@given(group=groups(), low=st.integers(0, 50), size=st.integers(0, 300))
def test_members_of_a_column_activate_its_columns_between_them(
    group: TensorGroup, low: int, size: int
) -> None:
    held = group.column_range(low, low + size)
    activated = group.activated_range(low, low + size)
    sharers = group.column + group.columns * group.experts_of
    for number in np.unique(sharers):
        members = np.flatnonzero(sharers == number)
        assert activated.sizes[members].sum() == held.sizes[members[0]]
    assert activated.sizes.sum() == group.expert * size


@given(group=groups(), kv_heads=st.integers(1, 12))
def test_in_as_many_layers_as_there_are_groups_each_member_has_attention_once(
    group: TensorGroup, kv_heads: int
) -> None:
    has_heads = [
        group.heads(kv_heads, layer).heads > 0
        for layer in range(group.alternating_groups)
    ]
    assert (np.sum(has_heads, axis=0) == 1).all()
    whole = group.heads(kv_heads, 0)
    assert (whole.heads / whole.members).sum() == pytest.approx(kv_heads)


@pytest.mark.parametrize(
    ("width", "rows", "columns"),
    [(4, 2, 2), (8, 2, 4), (12, 6, 2), (64, 8, 8), (72, 8, 9)],
)
def test_a_grid_has_its_rows_within_a_node(width: int, rows: int, columns: int) -> None:
    grid = group_of(width, 1, 0, FeedForwardLayout.TWO_D)
    assert (grid.inputs, grid.columns) == (rows, columns)
    # Members of a column, which exchange most, follow one another.
    assert grid.column[:rows].tolist() == [0] * rows


def test_a_group_of_a_prime_width_forms_no_grid() -> None:
    assert [grid_inputs(width) for width in (7, 11, 13)] == [1, 1, 1]
    assert grid_inputs(9) == 3


def test_expert_groups_are_of_consecutive_members() -> None:
    group = group_of(6, 2, 0, FeedForwardLayout.ONE_D)
    assert group.experts_of.tolist() == [0, 0, 0, 1, 1, 1]


def test_a_range_ends_before_its_end() -> None:
    assert Range(np.array([0, 3]), np.array([3, 3])).sizes.tolist() == [3, 0]
