import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sharding.parallelism.overlap import NO_OVERLAP, other_columns, own_columns
from sharding.parallelism.ranges import bounds
from sharding.parallelism.tensor_group import Range


@given(hidden=st.integers(1, 9000), width=st.integers(2, 72))
def test_own_and_other_columns_are_all_columns_once(hidden: int, width: int) -> None:
    edges = bounds(hidden, width)
    own = own_columns(Range(edges[:-1], edges[1:]), 320)
    before, after = other_columns(own, hidden)
    assert np.array_equal(before.end, own.start)
    assert np.array_equal(after.start, own.end)
    assert not before.start.any()
    assert (after.end == hidden).all()
    assert (own.end <= edges[1:]).all()


def test_a_shard_of_several_tiles_is_cut_at_whole_ones() -> None:
    zero = np.zeros(3, dtype=np.int64)
    shard = Range(zero + 100, np.array([1124, 740, 419]))
    assert own_columns(shard, 320).sizes.tolist() == [960, 640, 319]


def test_without_overlap_nothing_runs_beside_an_exchange() -> None:
    assert not any(NO_OVERLAP)
