"""Rate limits of a tenant: requests and tokens a minute and a day."""

from typing import NamedTuple, final

from specs.units import PS_PER_S

_MINUTE_PS = 60 * PS_PER_S
_DAY_PS = 24 * 60 * _MINUTE_PS


class Limits(NamedTuple):
    """Limits of each tenant by the names of the field; 0 for none.

    Attributes
    ----------
    rpm, rpd
        Requests a minute and a day.
    tpm, tpd
        Tokens a minute and a day, in and out; cached ones do not count.
    itpm, otpm
        Tokens in, and tokens out, a minute.
    """

    rpm: int = 0
    rpd: int = 0
    tpm: int = 0
    tpd: int = 0
    itpm: int = 0
    otpm: int = 0


@final
class TokenBucket:
    """Token bucket: full at first, fills evenly in its period.

    Parameters
    ----------
    limit
        What it holds.
    period_ps
        How long an empty one takes to fill.
    """

    def __init__(self, limit: int, period_ps: int) -> None:
        self.limit, self._period_ps = limit, period_ps
        # In tokens times the period, so that filling needs no fractions.
        self._level = self._full = limit * period_ps
        self._last_ps = 0

    def wait_ps(self, amount: int, now_ps: int) -> int:
        """Return how long it takes until an amount is there; 0 if it is.

        Parameters
        ----------
        amount
            At most the limit, or the wait has no meaning.
        now_ps
            The time, not before that of an earlier call.
        """
        if now_ps > self._last_ps:
            filled = self._level + self.limit * (now_ps - self._last_ps)
            self._level = min(self._full, filled)
            self._last_ps = now_ps
        lacking = amount * self._period_ps - self._level
        return -(-lacking // self.limit) if lacking > 0 else 0

    def take(self, amount: int) -> None:
        """Take an amount, or give back a negative one."""
        self._level = min(self._full, self._level - amount * self._period_ps)

    def remaining(self, now_ps: int) -> int:
        """Return the whole tokens that are there."""
        self.wait_ps(0, now_ps)
        return max(self._level, 0) // self._period_ps

    def full_in_ps(self, now_ps: int) -> int:
        """Return how long it takes until the bucket is full."""
        return self.wait_ps(self.limit, now_ps)


@final
class RateLimiter:
    """Token buckets of one tenant, by the names of its limits.

    Parameters
    ----------
    limits
        The limits; those that are 0 have no bucket.
    """

    def __init__(self, limits: Limits) -> None:
        self.buckets = {
            name: TokenBucket(limit, _DAY_PS if name.endswith("d") else _MINUTE_PS)
            for name, limit in limits._asdict().items()
            if limit
        }

    def amount(self, name: str, tokens_in: int, tokens_out: int) -> int:
        """Return what a request takes of a limit."""
        tokens = {"t": tokens_in + tokens_out, "i": tokens_in, "o": tokens_out}
        return tokens.get(name[0], 1)

    def refused_by(self, now_ps: int, tokens_in: int, tokens_out: int) -> str:
        """Return the limit that refuses a request, "" if it is admitted and counted.

        Parameters
        ----------
        now_ps
            When it arrives, not before the request before it.
        tokens_in, tokens_out
            Its prompt without cached positions, and its answer.
        """
        amounts = {
            name: self.amount(name, tokens_in, tokens_out) for name in self.buckets
        }
        for name, bucket in self.buckets.items():
            if bucket.wait_ps(amounts[name], now_ps):
                return name
        for name, bucket in self.buckets.items():
            bucket.take(amounts[name])
        return ""

    def give_back(self, tokens_in: int, tokens_out: int) -> None:
        """Give back tokens that were counted and not used; the request still counts."""
        for name, bucket in self.buckets.items():
            if name[0] != "r":
                bucket.take(-self.amount(name, tokens_in, tokens_out))
