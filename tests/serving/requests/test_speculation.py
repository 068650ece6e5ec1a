import numpy as np
import pytest

from serving.requests.speculation import drawn_turns


def turns(acceptance: float, tokens: int = 12, drafted: int = 3) -> list[int]:
    made: list[int] = drawn_turns(
        np.full(4000, tokens),
        drafted_tokens=drafted,
        acceptance=acceptance,
        random=np.random.default_rng(1),
    ).tolist()
    return made


def test_all_drafted_tokens_or_none_are_kept() -> None:
    assert set(turns(0.0)) == {12}
    assert set(turns(1.0)) == {3}
    assert set(turns(0.5, drafted=0)) == {12}
    assert set(turns(0.5, tokens=0)) == {0}


def test_a_turn_gives_the_mean_of_a_truncated_geometric_law() -> None:
    # 1 + a + a^2 + a^3 tokens a turn; the last turn of a long answer matters little.
    mean = 3000 / np.mean(turns(0.5, tokens=3000)[:50])
    assert mean == pytest.approx(1.875, rel=0.02)
