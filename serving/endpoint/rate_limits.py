"""Rate limits: leaky buckets of requests and tokens.

A bucket that is filled to its limit drains in its period, evenly. So the wait that a
refusal tells is ``(used + requested - limit) / limit * period``, which is what recorded
refusals of the service say: 6,000 tokens a minute, 5,034 used and 1,443 requested, to
be tried again in 4.77 s.
"""

from collections import OrderedDict
from typing import NamedTuple, final

from pydantic import Field

from serving.wire.errors import Limit, rate_limited, request_too_large
from serving.wire.rate_limit_headers import LimitState
from specs.errors import SpecError
from specs.validation import Spec, build

_MINUTE_S, _DAY_S = 60.0, 86_400.0
# Organisations whose buckets are kept; the one not seen for longest is forgotten.
_MOST_ORGANISATIONS = 4096
# Where no limit is set: a number that no client of one computer reaches.
_NO_LIMIT = 10**9


class LimitSizes(Spec):
    """Limits of one organisation for one model.

    Parameters
    ----------
    rpm, rpd
        Requests a minute and a day.
    tpm, tpd
        Tokens a minute and a day: those of the prompt and those asked for.
    itpm, otpm
        Tokens of prompts and tokens asked for, a minute.
    """

    rpm: int = Field(default=_NO_LIMIT, ge=1)
    rpd: int = Field(default=_NO_LIMIT, ge=1)
    tpm: int = Field(default=_NO_LIMIT, ge=1)
    tpd: int = Field(default=_NO_LIMIT, ge=1)
    itpm: int = Field(default=_NO_LIMIT, ge=1)
    otpm: int = Field(default=_NO_LIMIT, ge=1)


def parse_limits(text: str) -> LimitSizes:
    """Return the limits of a text such as ``rpm=30,tpm=6000``.

    Raises
    ------
    SpecError
        If a name is unknown, or a limit is no positive integer.
    """
    sizes: dict[str, int] = {}
    for pair in text.split(","):
        name, _, value = (part.strip() for part in pair.partition("="))
        try:
            sizes[name] = int(value.replace("_", ""))
        except ValueError:
            raise SpecError(
                f"--limits {pair.strip()}: write NAME=NUMBER, as in rpm=30,tpm=6000"
            ) from None
    return build(LimitSizes, sizes, "--limits")


@final
class LeakyBucket:
    """Bucket that drains evenly.

    Parameters
    ----------
    limit
        What it holds.
    period_s
        Seconds in which a full bucket drains.
    """

    def __init__(self, limit: int, period_s: float) -> None:
        self.limit = limit
        self._rate = limit / period_s
        self._level = 0.0
        self._at_s = 0.0

    def used(self, now_s: float) -> float:
        """Return what is in the bucket."""
        drained = (now_s - self._at_s) * self._rate
        self._level = max(self._level - max(drained, 0.0), 0.0)
        self._at_s = max(now_s, self._at_s)
        return self._level

    def wait_s(self, amount: int, now_s: float) -> float:
        """Return the seconds until an amount fits: 0 if it fits now."""
        over = self.used(now_s) + amount - self.limit
        # The least step of time that a message shows is a microsecond.
        return over / self._rate if over > self._rate * 1e-6 else 0.0

    def add(self, amount: int, now_s: float) -> None:
        """Put an amount in, or take back a negative one."""
        self._level = max(self.used(now_s) + amount, 0.0)

    def remaining(self, now_s: float) -> int:
        """Return what still fits."""
        return max(int(self.limit - self.used(now_s) + 1e-6), 0)

    def reset_s(self, now_s: float) -> float:
        """Return the seconds until the bucket is empty."""
        return self.used(now_s) / self._rate


class _Counted(NamedTuple):
    """A limit, its bucket, and what of a request it counts.

    Attributes
    ----------
    limit, bucket
        The limit and what is used of it.
    requests, prompt, answer
        How often it counts the request, its prompt tokens and its answer tokens.
    """

    limit: Limit
    bucket: LeakyBucket
    requests: int
    prompt: int
    answer: int

    def amount(self, prompt_tokens: int, answer_tokens: int) -> int:
        """Return what a request counts."""
        tokens = self.prompt * prompt_tokens + self.answer * answer_tokens
        return self.requests + tokens


@final
class _Buckets:
    """Buckets of an organisation for a model, in the order of the checks."""

    def __init__(self, sizes: LimitSizes) -> None:
        self.requests_a_day = LeakyBucket(sizes.rpd, _DAY_S)
        self.tokens_a_minute = LeakyBucket(sizes.tpm, _MINUTE_S)
        self.all: list[_Counted] = []
        for name, bucket, *counts in (
            ("requests per minute (RPM)", LeakyBucket(sizes.rpm, _MINUTE_S), 1, 0, 0),
            ("requests per day (RPD)", self.requests_a_day, 1, 0, 0),
            ("tokens per minute (TPM)", self.tokens_a_minute, 0, 1, 1),
            ("tokens per day (TPD)", LeakyBucket(sizes.tpd, _DAY_S), 0, 1, 1),
            (
                "input tokens per minute (ITPM)",
                *(LeakyBucket(sizes.itpm, _MINUTE_S), 0, 1, 0),
            ),
            (
                "output tokens per minute (OTPM)",
                *(LeakyBucket(sizes.otpm, _MINUTE_S), 0, 0, 1),
            ),
        ):
            kind = "requests" if name.startswith("requests") else "tokens"
            limit = Limit(kind=kind, name=name, size=bucket.limit)
            self.all.append(_Counted(limit, bucket, *counts))


@final
class RateLimits:
    """Limits of every organisation, by its key, for every model.

    Parameters
    ----------
    sizes
        Limits that each has.
    """

    def __init__(self, sizes: LimitSizes) -> None:
        self._sizes = sizes
        self._kept: OrderedDict[tuple[str, str], _Buckets] = OrderedDict()

    def _of(self, organisation: str, model: str) -> _Buckets:
        key = (organisation, model)
        buckets = self._kept.pop(key, None) or _Buckets(self._sizes)
        self._kept[key] = buckets
        if len(self._kept) > _MOST_ORGANISATIONS:
            self._kept.popitem(last=False)
        return buckets

    def take(
        self,
        organisation: str,
        model: str,
        tier: str,
        prompt_tokens: int,
        answer_tokens: int,
        *,
        now_s: float,
    ) -> None:
        """Count a request, unless it is over a limit.

        Parameters
        ----------
        organisation, model, tier
            Who asks, for which model, in which service tier.
        prompt_tokens, answer_tokens
            Tokens of the prompt, and those asked for.
        now_s
            Seconds by which limits are counted.

        Raises
        ------
        WireError
            413 if the request is over a limit by itself; 429 if it is with others.
        """
        counted = [
            (each.limit, each.bucket, each.amount(prompt_tokens, answer_tokens))
            for each in self._of(organisation, model).all
        ]
        for limit, _, amount in counted:
            if amount > limit.size:
                raise request_too_large(model, tier, limit, amount)
        for limit, bucket, amount in counted:
            wait_s = bucket.wait_s(amount, now_s)
            if wait_s:
                raise rate_limited(
                    model,
                    tier,
                    limit,
                    used=round(bucket.used(now_s)),
                    requested=amount,
                    wait_s=wait_s,
                )
        for _, bucket, amount in counted:
            bucket.add(amount, now_s)

    def give_back(
        self,
        organisation: str,
        model: str,
        prompt_tokens: int,
        answer_tokens: int,
        now_s: float,
    ) -> None:
        """Take tokens back that were not read or not made after all."""
        for each in self._of(organisation, model).all:
            tokens = each.amount(prompt_tokens, answer_tokens) - each.requests
            each.bucket.add(-tokens, now_s)

    def state(self, organisation: str, model: str, now_s: float) -> LimitState:
        """Return what the headers of an answer tell."""
        buckets = self._of(organisation, model)
        requests, tokens = buckets.requests_a_day, buckets.tokens_a_minute
        return LimitState(
            requests=requests.limit,
            tokens=tokens.limit,
            remaining_requests=requests.remaining(now_s),
            remaining_tokens=tokens.remaining(now_s),
            reset_requests_s=requests.reset_s(now_s),
            reset_tokens_s=tokens.reset_s(now_s),
        )
