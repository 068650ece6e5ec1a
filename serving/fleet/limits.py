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
class RateLimiter:
    """Token buckets of one tenant: each is full at first and fills at its own rate."""

    def __init__(self, limits: Limits) -> None:
        self._buckets = [
            (name, limit, _DAY_PS if name.endswith("d") else _MINUTE_PS)
            for name, limit in limits._asdict().items()
            if limit
        ]
        # In tokens times the period, so that filling needs no fractions.
        self._levels = [limit * period for _, limit, period in self._buckets]
        self._last_ps = 0

    def refused_by(self, now_ps: int, tokens_in: int, tokens_out: int) -> str:
        """Return the limit that refuses a request, "" if it is admitted and counted.

        Parameters
        ----------
        now_ps
            When it arrives, not before the request before it.
        tokens_in, tokens_out
            Its prompt without cached positions, and its answer.
        """
        passed, self._last_ps = now_ps - self._last_ps, now_ps
        taken = {"r": 1, "t": tokens_in + tokens_out, "i": tokens_in, "o": tokens_out}
        amounts = []
        for at, (name, limit, period) in enumerate(self._buckets):
            level = min(limit * period, self._levels[at] + limit * passed)
            self._levels[at] = level
            amounts.append(taken[name[0]] * period)
        for at, (name, _, _) in enumerate(self._buckets):
            if amounts[at] > self._levels[at]:
                return name
        for at, amount in enumerate(amounts):
            self._levels[at] -= amount
        return ""
