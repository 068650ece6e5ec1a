import numpy as np
import pytest

from serving.requests.arrivals import drawn_arrivals
from specs.errors import SpecError
from specs.units import PS_PER_S


def intervals(kind: str, burstiness: float = 1.0, count: int = 20_000) -> np.ndarray:
    arrivals = drawn_arrivals(
        kind,
        count,
        rate_per_s=10,
        burstiness=burstiness,
        random=np.random.default_rng(1),
    )
    return np.diff(arrivals) / PS_PER_S


def test_constant_arrivals_are_a_rate_apart() -> None:
    assert set(intervals("constant", count=5)) == {0.1}


@pytest.mark.parametrize("burstiness", [0.25, 1.0, 4.0])
def test_the_shape_of_the_gamma_distribution_is_the_burstiness(
    burstiness: float,
) -> None:
    drawn = intervals("gamma", burstiness)
    assert drawn.mean() == pytest.approx(0.1, rel=0.05)
    # The squared coefficient of variation of a gamma distribution is 1 / shape.
    spread = (drawn.std() / drawn.mean()) ** 2
    assert spread == pytest.approx(1 / burstiness, rel=0.1)


def test_poisson_is_burstiness_one() -> None:
    assert (intervals("poisson", 7.0) == intervals("gamma", 1.0)).all()


def test_users_who_wait_are_all_there_at_once() -> None:
    assert not intervals("closed", count=5).any()


def test_a_rate_must_be_above_zero() -> None:
    random = np.random.default_rng(1)
    with pytest.raises(SpecError, match="rate_per_s 0 and burstiness 1 must be > 0"):
        drawn_arrivals("poisson", 1, rate_per_s=0, burstiness=1, random=random)


@pytest.mark.parametrize("kind", ["poisson", "constant"])
def test_a_request_after_ten_days_is_refused(kind: str) -> None:
    random = np.random.default_rng(1)
    with pytest.raises(SpecError, match=r"the last of 20 requests comes after .* s;"):
        drawn_arrivals(kind, 20, rate_per_s=1e-9, burstiness=1, random=random)
