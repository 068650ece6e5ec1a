"""Failures of a sweep's points: taking too long, losing tokens, being late."""

import signal
from collections.abc import Mapping
from types import FrameType
from typing import Any, NamedTuple

from experiments.sweep.point import run_point
from specs.errors import SweepError

# Of a point that did not deliver what was asked for, or not in time, one is not 0.
_BROKEN = (
    "faults.tokens_lost",
    "violations.underflow",
    "violations.overflow",
    "violations.link_conflict",
)


class PointRules(NamedTuple):
    """When the run of a sweep's points stops.

    Attributes
    ----------
    limit_s
        Seconds that a point may take, None for as long as it takes.
    fail_fast
        Whether the first point that is refused, lost or late ends the sweep.
    """

    limit_s: float | None = None
    fail_fast: bool = False


class FirstFailureError(SweepError):
    """First point of a sweep that failed, where that ends the sweep.

    Parameters
    ----------
    message
        What happened.
    broken
        Whether the point ran and broke its schedule; otherwise it was refused.
    """

    def __init__(self, message: str, *, broken: bool) -> None:
        super().__init__(message)
        self.broken = broken


NO_RULES = PointRules()


class PointLimitError(Exception):
    """Point of a sweep that took longer than it may."""


def run_point_within(document: str, key: str, limit_s: float) -> str:
    """Return the outcome of a sweep's point, as `run_point` does, or give it up.

    It runs in the first thread of its process, where a signal can stop it.

    Parameters
    ----------
    document, key
        As `run_point` takes them.
    limit_s
        Seconds of wall-clock time that it may take.

    Raises
    ------
    PointLimitError
        If it takes longer. What a computer is too slow for is no outcome: another run
        tries the point again.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise PointLimitError(f"took over {limit_s:g} s, the limit of --point-limit")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        return run_point(document, key)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def is_broken(numbers: Mapping[str, Any]) -> bool:
    """Return whether a sweep's point lost tokens or violated its schedule.

    Parameters
    ----------
    numbers
        Numbers of its summary by dotted name.
    """
    return any(numbers.get(name) for name in _BROKEN)
