"""Rate-limit headers of the wire: limits, what remains, durations until it is whole."""

from dataclasses import dataclass
from math import ceil
from typing import final

_S_PER_MINUTE, _S_PER_HOUR = 60, 3600


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LimitState:
    """State of the two limits that headers tell of.

    Parameters
    ----------
    requests, tokens
        Limit of requests a day and of tokens a minute.
    remaining_requests, remaining_tokens
        What is left of each.
    reset_requests_s, reset_tokens_s
        Seconds until each is whole again.
    """

    requests: int
    tokens: int
    remaining_requests: int
    remaining_tokens: int
    reset_requests_s: float
    reset_tokens_s: float


def duration_text(seconds: float) -> str:
    """Return a duration as headers and messages have it.

    >>> duration_text(179.56), duration_text(9.5), duration_text(0.0125)
    ('2m59.56s', '9.5s', '12.5ms')
    >>> duration_text(86400), duration_text(0)
    ('24h0m0s', '0s')
    """
    if seconds <= 0:
        return "0s"
    if seconds < 1:
        return f"{round(seconds * 1e3, 3):g}ms"
    whole = round(seconds, 3)
    hours, rest = divmod(whole, _S_PER_HOUR)
    minutes, left = divmod(rest, _S_PER_MINUTE)
    text = f"{round(left, 3):g}s"
    if hours or minutes:
        text = f"{int(minutes)}m{text}"
    return f"{int(hours)}h{text}" if hours else text


def rate_limit_headers(state: LimitState) -> dict[str, str]:
    """Return the headers that every answer has."""
    return {
        "x-ratelimit-limit-requests": str(state.requests),
        "x-ratelimit-limit-tokens": str(state.tokens),
        "x-ratelimit-remaining-requests": str(max(state.remaining_requests, 0)),
        "x-ratelimit-remaining-tokens": str(max(state.remaining_tokens, 0)),
        "x-ratelimit-reset-requests": duration_text(state.reset_requests_s),
        "x-ratelimit-reset-tokens": duration_text(state.reset_tokens_s),
    }


def retry_after_header(seconds: float) -> dict[str, str]:
    """Return the header of a refusal that time will heal: whole seconds, at least one.

    >>> retry_after_header(4.77)
    {'retry-after': '5'}
    """
    return {"retry-after": str(max(ceil(seconds), 1))}
