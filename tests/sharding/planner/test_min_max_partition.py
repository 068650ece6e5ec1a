from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharding.planner import min_max_partition
from sharding.planner.min_max_partition import balanced_cuts

Piece = tuple[int, int, int]  # cost, memory, penalty
pieces = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 2)),
    min_size=1,
    max_size=9,
)
stage_counts = st.integers(1, 10)
capacities = st.integers(0, 30)


def cut(row: list[Piece], stages: int, capacity: int) -> list[int] | None:
    cost, memory, penalty = np.array(row, dtype=np.int64).T
    return balanced_cuts(cost, memory, penalty, stages=stages, capacity=capacity)


def score(row: list[Piece], cuts: list[int]) -> tuple[int, int]:
    """Return the cost of the costliest stage, and the penalties of the cuts."""
    stages = [row[start:end] for start, end in pairwise([*cuts, len(row)])]
    return (
        max(sum(cost for cost, _, _ in stage) for stage in stages),
        sum(row[start][2] for start in cuts[1:]),
    )


def within(row: list[Piece], cuts: list[int], capacity: int) -> bool:
    stages = [row[start:end] for start, end in pairwise([*cuts, len(row)])]
    return all(sum(memory for _, memory, _ in stage) <= capacity for stage in stages)


def best_of_all(row: list[Piece], stages: int, capacity: int) -> tuple[int, int] | None:
    every = ([0, *inner] for inner in combinations(range(1, len(row)), stages - 1))
    return min(
        (score(row, cuts) for cuts in every if within(row, cuts, capacity)),
        default=None,
    )


@given(row=pieces, stages=stage_counts, capacity=capacities)
def test_the_cuts_are_as_good_as_the_best_of_all_partitions(
    row: list[Piece], stages: int, capacity: int
) -> None:
    cuts = cut(row, stages, capacity)
    best = best_of_all(row, stages, capacity)
    assert (score(row, cuts) if cuts else None) == best


@given(row=pieces, stages=stage_counts, capacity=capacities)
def test_every_stage_has_a_piece_and_stays_within_its_memory(
    row: list[Piece], stages: int, capacity: int
) -> None:
    cuts = cut(row, stages, capacity)
    if cuts is not None:
        assert len(cuts) == stages
        assert cuts == sorted(set(cuts))
        assert within(row, cuts, capacity)


@given(row=pieces, stages=stage_counts, capacity=capacities)
def test_even_cuts_still_reach_the_least_maximum(
    row: list[Piece], stages: int, capacity: int
) -> None:
    best = best_of_all(row, stages, capacity)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(min_max_partition, "_MOST_LOOK_UPS", 0)
        cuts = cut(row, stages, capacity)
    assert (cuts is None) == (best is None)
    if cuts is not None and best is not None:
        assert len(cuts) == stages
        assert within(row, cuts, capacity)
        assert score(row, cuts)[0] == best[0]


def test_more_stages_than_pieces_cannot_be_formed() -> None:
    assert cut([(1, 1, 0)] * 3, stages=4, capacity=10) is None


def test_a_piece_larger_than_a_stage_fits_nowhere() -> None:
    assert cut([(1, 11, 0), (1, 1, 0)], stages=2, capacity=10) is None


def test_a_free_cut_is_preferred_to_one_that_costs() -> None:
    row = [(3, 1, 0), (0, 1, 1), (0, 1, 0), (3, 1, 1)]
    assert cut(row, stages=2, capacity=10) == [0, 2]
