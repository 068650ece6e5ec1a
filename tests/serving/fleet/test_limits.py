from serving.fleet.limits import Limits, RateLimiter

SECOND_PS = 10**12


def test_requests_beyond_a_minutes_limit_wait_until_it_fills_again() -> None:
    limiter = RateLimiter(Limits(rpm=2))
    assert [limiter.refused_by(0, 1, 1) for _ in range(3)] == ["", "", "rpm"]
    # Two a minute are one in thirty seconds.
    assert limiter.refused_by(30 * SECOND_PS - 1, 1, 1) == "rpm"
    assert limiter.refused_by(30 * SECOND_PS, 1, 1) == ""


def test_each_limit_counts_its_own_tokens() -> None:
    assert RateLimiter(Limits(tpm=10)).refused_by(0, 6, 5) == "tpm"
    assert RateLimiter(Limits(itpm=5)).refused_by(0, 6, 5) == "itpm"
    assert RateLimiter(Limits(otpm=5)).refused_by(0, 6, 5) == ""
    assert RateLimiter(Limits(tpd=11)).refused_by(0, 6, 5) == ""
    assert RateLimiter(Limits()).refused_by(0, 10**9, 10**9) == ""


def test_a_refused_request_takes_nothing_from_other_limits() -> None:
    limiter = RateLimiter(Limits(rpd=1, tpm=10))
    assert limiter.refused_by(0, 20, 0) == "tpm"
    assert limiter.refused_by(0, 10, 0) == ""
