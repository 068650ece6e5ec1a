from serving.fleet.limits import Limits, RateLimiter, TokenBucket

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


def test_a_bucket_tells_what_is_there_and_how_long_the_rest_takes() -> None:
    bucket = TokenBucket(60, 60 * SECOND_PS)
    assert bucket.wait_ps(60, 0) == 0
    bucket.take(60)
    assert (bucket.remaining(0), bucket.full_in_ps(0)) == (0, 60 * SECOND_PS)
    assert bucket.wait_ps(10, 4 * SECOND_PS) == 6 * SECOND_PS
    assert bucket.remaining(10 * SECOND_PS - 1) == 9
    assert bucket.wait_ps(10, 10 * SECOND_PS) == 0
    # More than it holds is not there, however much is given back.
    bucket.take(-100)
    assert bucket.remaining(10 * SECOND_PS) == 60


def test_tokens_that_are_given_back_are_there_again_and_the_request_is_not() -> None:
    limiter = RateLimiter(Limits(rpm=2, tpm=20, itpm=10, otpm=10))
    assert limiter.refused_by(0, 8, 9) == ""
    limiter.give_back(8, 9)
    assert limiter.refused_by(0, 8, 9) == ""
    limiter.give_back(8, 9)
    assert limiter.refused_by(0, 8, 9) == "rpm"
    assert [limiter.amount(name, 3, 4) for name in limiter.buckets] == [1, 7, 3, 4]
