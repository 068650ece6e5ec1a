import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabric.random_streams import Draws, Stream, component_keys, ordinals

MANY = np.arange(200_000)
streams = st.sampled_from(list(Stream))


@given(seed=st.integers(0, 2**63), stream=streams, event=st.integers(0, 2**40))
def test_draws_lie_strictly_between_0_and_1(
    seed: int, stream: Stream, event: int
) -> None:
    drawn = Draws(seed).uniform(stream, np.arange(1000), event)
    assert 0 < drawn.min() < drawn.max() < 1


@given(seed=st.integers(0, 2**63), stream=streams, event=st.integers(0, 99))
def test_a_draw_depends_on_no_other_component(
    seed: int, stream: Stream, event: int
) -> None:
    draws = Draws(seed)
    together = draws.uniform(stream, np.array([3, 141, 59]), event)
    alone = Draws(seed).uniform(stream, np.array([59]), event)
    assert together[2] == alone[0]


def test_draws_are_uniform() -> None:
    drawn = Draws(1).uniform(Stream.JITTER, MANY)
    # The mean of n has a standard deviation of sqrt(1 / 12 n); four of them.
    assert drawn.mean() == pytest.approx(1 / 2, abs=4 * (1 / 12 / len(MANY)) ** 0.5)
    assert drawn.var() == pytest.approx(1 / 12, rel=0.01)
    share = np.histogram(drawn, bins=20, range=(0, 1))[0] / len(MANY)
    assert share == pytest.approx(np.full(20, 1 / 20), rel=0.05)


@given(seed=st.integers(0, 2**63), stream=streams, event=st.integers(0, 99))
def test_a_number_is_made_of_the_topmost_bits(
    seed: int, stream: Stream, event: int
) -> None:
    draws = Draws(seed)
    bits = draws.bits(stream, MANY[:100], event)
    expected = (bits >> np.uint64(12)).astype(np.float64) * 2.0**-52 + 2.0**-53
    assert draws.uniform(stream, MANY[:100], event).tolist() == expected.tolist()


def test_draws_of_several_events_at_once_are_those_of_each() -> None:
    draws = Draws(1)
    together = draws.bits(Stream.TRACKING, MANY[:5], np.arange(3)[:, np.newaxis])
    for event in range(3):
        alone = draws.bits(Stream.TRACKING, MANY[:5], event)
        assert together[event].tolist() == alone.tolist()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, Stream.JITTER, 0, 0), (2, Stream.JITTER, 0, 0)),
        ((1, Stream.JITTER, 0, 0), (1, Stream.CORRECTED, 0, 0)),
        ((1, Stream.JITTER, 0, 0), (1, Stream.JITTER, 1, 0)),
        ((1, Stream.JITTER, 5, 0), (1, Stream.JITTER, 6, 0)),
        ((1, Stream.JITTER, 0, 0), (1, Stream.JITTER, 0, 1)),
        ((1, Stream.CRYSTAL, 0, 0), (1, Stream.PHASE, 0, 0)),
    ],
    ids=["seed", "stream", "event", "later event", "component", "crystal and phase"],
)
def test_draws_of_different_things_are_uncorrelated(
    one: tuple[int, Stream, int, int], other: tuple[int, Stream, int, int]
) -> None:
    first, second = (
        Draws(seed).uniform(stream, MANY + shift, event)
        for seed, stream, event, shift in (one, other)
    )
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / len(MANY) ** 0.5


def test_a_pair_has_a_number_of_its_own() -> None:
    keys = component_keys(np.array([0, 0, 1]), np.array([0, 1, 0]))
    assert keys.tolist() == [0, 1, 2**32]


@given(groups=st.lists(st.integers(0, 4), max_size=20))
def test_ordinals_count_within_each_group(groups: list[int]) -> None:
    counted = [groups[:place].count(group) for place, group in enumerate(groups)]
    assert ordinals(np.array(groups, dtype=np.int64)).tolist() == counted


def test_each_start_of_the_machine_draws_its_own_numbers() -> None:
    one, other = (
        Draws(1, start=start).uniform(Stream.BRING_UP, MANY) for start in (0, 1)
    )
    assert np.array_equal(one, Draws(1).uniform(Stream.BRING_UP, MANY))
    assert abs(np.corrcoef(one, other)[0, 1]) < 4 / len(MANY) ** 0.5
