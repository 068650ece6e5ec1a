import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fabric.links.rare_events import Trials, hits, trials
from fabric.random_streams import Draws, Stream

ROUNDS = 3_000


def counted(of: Trials, rounds: int = ROUNDS, seed: int = 1) -> NDArray[np.int64]:
    """Return how often each run was hit, round by round."""
    draws, runs = Draws(seed), len(of.ends)
    return np.array(
        [
            np.bincount(hits(draws, Stream.CORRECTED, event, of), minlength=runs)
            for event in range(rounds)
        ]
    )


def test_hits_have_mean_and_variance_of_binomials_whatever_the_odds() -> None:
    count = np.array([1, 40, 0, 200, 7, 1000])
    odds = np.array([0.5, 0.01, 0.9, 0.03, 0.0, 0.002])
    found = counted(trials(count, odds))
    mean, variance = count * odds, count * odds * (1 - odds)
    # Five standard errors, of the mean and of the variance.
    assert (abs(found.mean(axis=0) - mean) <= 5 * np.sqrt(variance / ROUNDS)).all()
    fourth = variance * (1 + 3 * variance)
    assert (
        abs(found.var(axis=0) - variance) <= 5 * np.sqrt(fourth / ROUNDS) + 1e-12
    ).all()
    # Runs and rounds know nothing of each other.
    total = found.sum(axis=1)
    assert total.var() == pytest.approx(variance.sum(), rel=0.15)
    assert abs(np.corrcoef(total[1:], total[:-1])[0, 1]) < 5 / np.sqrt(ROUNDS)


@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.sampled_from([0.0, 1e-9, 0.01, 0.7, 1.0])),
        max_size=30,
    ),
    st.integers(0, 2**32),
)
def test_runs_come_in_ascending_order_and_no_oftener_than_they_are_tried(
    runs: list[tuple[int, float]], event: int
) -> None:
    count = np.array([each[0] for each in runs], dtype=np.int64)
    odds = np.array([each[1] for each in runs])
    of = trials(count, odds)
    found = hits(Draws(1), Stream.UNCORRECTABLE, event, of)
    assert (np.diff(found) >= 0).all()
    times = np.bincount(found, minlength=len(runs))
    assert (times <= count).all()
    assert (times[odds == 0] == 0).all()
    assert (times[odds == 1] == count[odds == 1]).all()
    again = hits(Draws(1), Stream.UNCORRECTABLE, event, of)
    assert found.tolist() == again.tolist()


def test_single_trials_are_hit_once_at_most() -> None:
    of = trials(np.ones(500, dtype=np.int64), np.full(500, 0.4))
    found = hits(Draws(3), Stream.UNCORRECTABLE, 0, of)
    assert (np.diff(found) > 0).all()


def test_rounds_are_the_same_in_any_order() -> None:
    of = trials(np.full(20, 10), np.linspace(0, 0.3, 20))
    forward, backward = Draws(9), Draws(9)
    one = [hits(forward, Stream.CORRECTED, k, of).tolist() for k in range(30)]
    other = [
        hits(backward, Stream.CORRECTED, k, of).tolist() for k in range(29, -1, -1)
    ]
    assert one == other[::-1]
    assert len({tuple(each) for each in one}) > 20


@pytest.mark.parametrize("odds", [1e-300, 1e-18])
def test_what_hardly_ever_happens_takes_no_time(odds: float) -> None:
    of = trials(np.array([10**9]), np.array([odds]))
    assert [len(hits(Draws(1), Stream.CORRECTED, k, of)) for k in range(50)] == [0] * 50
