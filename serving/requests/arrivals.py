"""Arrivals: when requests come, by a rate and its burstiness."""

import numpy as np

from specs.arrays import Ints
from specs.errors import SpecError
from specs.units import PS_PER_S

# Ten days in picoseconds fit 63 bits ten times over.
LONGEST_S = 864_000


def drawn_arrivals(
    kind: str,
    count: int,
    *,
    rate_per_s: float,
    burstiness: float,
    random: np.random.Generator,
    from_ps: int = 0,
) -> Ints:
    """Return the arrival of each request in ps, ascending, shape ``(count,)``.

    Parameters
    ----------
    kind
        ``poisson``, ``gamma``, ``constant``, or ``closed``, where all are there at once
        and users wait for their answers.
    count
        How many.
    rate_per_s
        Requests per second; infinite for all at once.
    burstiness
        Shape of the gamma distribution of intervals, as in ``vllm bench serve``: 1 is
        Poisson, less is burstier.
    random
        Source of chance.
    from_ps
        Arrival of the request before the first one.

    Raises
    ------
    SpecError
        If the rate or the burstiness is not above zero, or so low that the last request
        comes after ten days.
    """
    if kind == "closed" or np.isinf(rate_per_s):
        return np.full(count, from_ps, dtype=np.int64)
    if not rate_per_s > 0 or not burstiness > 0:
        raise SpecError(
            f"rate_per_s {rate_per_s} and burstiness {burstiness} must be > 0"
        )
    if kind == "constant":
        intervals = np.full(count, 1 / rate_per_s)
    else:
        shape = 1.0 if kind == "poisson" else burstiness
        intervals = random.gamma(shape, 1 / (rate_per_s * shape), count)
    last_s = from_ps / PS_PER_S + intervals.sum()
    if not last_s <= LONGEST_S:
        raise SpecError(
            f"at rate_per_s {rate_per_s:g} with burstiness {burstiness:g} the last of "
            f"{count:,} requests comes after {last_s:.3g} s; use a higher rate, or "
            f"fewer, so that it comes within {LONGEST_S:,} s"
        )
    # Whole picoseconds are summed, so that blocks of arrivals follow each other.
    steps = np.rint(intervals * PS_PER_S).astype(np.int64)
    arrivals: Ints = from_ps + np.cumsum(steps)
    return arrivals
