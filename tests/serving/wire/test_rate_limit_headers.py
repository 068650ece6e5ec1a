import re

from hypothesis import given
from hypothesis import strategies as st

from serving.wire.rate_limit_headers import (
    LimitState,
    duration_text,
    rate_limit_headers,
    retry_after_header,
)

DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:([\d.]+)(ms|s))?")


def read(text: str) -> float:
    match = DURATION.fullmatch(text)
    assert match
    hours, minutes, rest, unit = match.groups()
    seconds = float(rest or 0) * (1e-3 if unit == "ms" else 1)
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + seconds


@given(st.floats(0, 100_000))
def test_a_duration_reads_back_to_the_millisecond(seconds: float) -> None:
    assert abs(read(duration_text(seconds)) - seconds) <= 0.001


def test_a_minute_is_carried_and_not_sixty_seconds() -> None:
    assert duration_text(59.9999) == "1m0s"
    assert duration_text(578.016) == "9m38.016s"


def test_headers_tell_limits_what_remains_and_when_it_is_whole() -> None:
    state = LimitState(
        requests=14_400,
        tokens=6_000,
        remaining_requests=14_370,
        remaining_tokens=-3,
        reset_requests_s=179.56,
        reset_tokens_s=7.66,
    )
    assert rate_limit_headers(state) == {
        "x-ratelimit-limit-requests": "14400",
        "x-ratelimit-limit-tokens": "6000",
        "x-ratelimit-remaining-requests": "14370",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-requests": "2m59.56s",
        "x-ratelimit-reset-tokens": "7.66s",
    }


def test_a_client_is_told_to_wait_whole_seconds_and_at_least_one() -> None:
    assert retry_after_header(0.01) == {"retry-after": "1"}
    assert retry_after_header(4.77) == {"retry-after": "5"}
