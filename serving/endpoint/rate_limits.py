"""Rate limits of every key for every model, told in the words of the wire.

The buckets are those of :mod:`serving.fleet.limits`. The wait that a refusal tells is
``(used + requested - limit) / limit * period``, which is what recorded refusals of the
service say: 6,000 tokens a minute, 5,034 used and 1,443 requested, to be tried again in
4.77 s.
"""

from collections import OrderedDict
from typing import final

from serving.fleet.limits import Limits, RateLimiter, TokenBucket
from serving.wire.errors import Limit, rate_limited, request_too_large
from serving.wire.rate_limit_headers import LimitState
from specs.errors import SpecError, nearest
from specs.units import PS_PER_S

# Organisations whose buckets are kept; the one not seen for longest is forgotten.
_MOST_ORGANISATIONS = 4096
# Where no limit is set: a number that no client of one computer reaches.
_NO_LIMIT = 10**9
# Time is counted in whole microseconds, so that a wait that was told suffices.
_PS_PER_US = 10**6
_NAMES = {
    "rpm": "requests per minute (RPM)",
    "rpd": "requests per day (RPD)",
    "tpm": "tokens per minute (TPM)",
    "tpd": "tokens per day (TPD)",
    "itpm": "input tokens per minute (ITPM)",
    "otpm": "output tokens per minute (OTPM)",
}


def parse_limits(text: str) -> Limits:
    """Return the limits of a text such as ``rpm=30,tpm=6000``.

    Raises
    ------
    SpecError
        If a name is unknown, or a limit is no positive integer.
    """
    sizes: dict[str, int] = {}
    for pair in text.split(","):
        name, _, value = (part.strip() for part in pair.partition("="))
        if name not in _NAMES:
            hint = nearest(name, _NAMES)
            raise SpecError(f"--limits {pair.strip()}: no such limit; {hint}")
        digits = value.replace("_", "")
        if not digits.isdecimal() or not int(digits):
            raise SpecError(
                f"--limits {pair.strip()}: write a number above 0, as in {name}=6000"
            )
        sizes[name] = int(digits)
    return Limits(**sizes)


def _time_ps(now_s: float) -> int:
    return round(now_s * PS_PER_S / _PS_PER_US) * _PS_PER_US


def _used(bucket: TokenBucket, now_ps: int) -> int:
    return bucket.limit - bucket.remaining(now_ps)


@final
class RateLimits:
    """Limits of every organisation, by its key, for every model.

    Parameters
    ----------
    limits
        Limits that each has.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = Limits(*(size or _NO_LIMIT for size in limits))
        self._kept: OrderedDict[tuple[str, str], RateLimiter] = OrderedDict()

    def _of(self, organisation: str, model: str) -> RateLimiter:
        key = (organisation, model)
        limiter = self._kept.pop(key, None) or RateLimiter(self._limits)
        self._kept[key] = limiter
        if len(self._kept) > _MOST_ORGANISATIONS:
            self._kept.popitem(last=False)
        return limiter

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
        limiter, now_ps = self._of(organisation, model), _time_ps(now_s)
        for name, bucket in limiter.buckets.items():
            amount = limiter.amount(name, prompt_tokens, answer_tokens)
            if amount > bucket.limit:
                raise request_too_large(model, tier, _limit(name, bucket), amount)
        name = limiter.refused_by(now_ps, prompt_tokens, answer_tokens)
        if name:
            bucket = limiter.buckets[name]
            amount = limiter.amount(name, prompt_tokens, answer_tokens)
            raise rate_limited(
                model,
                tier,
                _limit(name, bucket),
                used=_used(bucket, now_ps),
                requested=amount,
                wait_s=bucket.wait_ps(amount, now_ps) / PS_PER_S,
            )

    def give_back(
        self, organisation: str, model: str, prompt_tokens: int, answer_tokens: int
    ) -> None:
        """Take tokens back that were not read or not made after all."""
        self._of(organisation, model).give_back(prompt_tokens, answer_tokens)

    def state(self, organisation: str, model: str, now_s: float) -> LimitState:
        """Return what the headers of an answer tell."""
        buckets, now_ps = self._of(organisation, model).buckets, _time_ps(now_s)
        requests, tokens = buckets["rpd"], buckets["tpm"]
        return LimitState(
            requests=requests.limit,
            tokens=tokens.limit,
            remaining_requests=requests.remaining(now_ps),
            remaining_tokens=tokens.remaining(now_ps),
            reset_requests_s=requests.full_in_ps(now_ps) / PS_PER_S,
            reset_tokens_s=tokens.full_in_ps(now_ps) / PS_PER_S,
        )


def _limit(name: str, bucket: TokenBucket) -> Limit:
    """Return a limit as the wire names it."""
    kind = "requests" if name.startswith("r") else "tokens"
    return Limit(kind=kind, name=_NAMES[name], size=bucket.limit)
