from hypothesis import given
from hypothesis import strategies as st

from compiler.search.dominance import Merits, ParetoPoint, non_dominated
from sharding.parallelism.strategy import Strategy

points = st.builds(
    ParetoPoint,
    st.builds(Merits, *[st.integers(1, 5)] * 3),
    st.builds(Strategy, tensor=st.integers(1, 4), pipeline=st.integers(1, 4)),
    st.integers(1, 3),
)


@given(known=st.lists(points, min_size=1, max_size=8))
def test_the_front_dominates_all_others_and_none_on_it_dominates_another(
    known: list[ParetoPoint],
) -> None:
    front = non_dominated(known)
    assert all(any(p.merits.dominates(each.merits) for p in front) for each in known)
    assert not any(
        one.merits.dominates(other.merits)
        for one in front
        for other in front
        if one is not other
    )


def test_merits_dominate_those_that_are_better_in_none() -> None:
    merits = Merits(100, 50, 8)
    assert merits.dominates(merits)
    assert merits.dominates(Merits(101, 50, 8))
    for better in (Merits(99, 60, 9), Merits(110, 49, 9), Merits(110, 60, 7)):
        assert not merits.dominates(better)
        assert not better.dominates(merits)


def test_of_points_with_equal_merits_the_first_strategy_is_kept() -> None:
    merits = Merits(100, 50, 4)
    wide = ParetoPoint(merits, Strategy(tensor=4, pipeline=1), 1)
    narrow = ParetoPoint(merits, Strategy(tensor=2, pipeline=2), 1)
    slower = ParetoPoint(Merits(200, 50, 4), Strategy(tensor=1, pipeline=4), 1)
    smaller = ParetoPoint(Merits(200, 50, 2), Strategy(tensor=1, pipeline=2), 1)
    assert non_dominated([slower, wide, smaller, narrow]) == [narrow, smaller]
