"""Settings of an endpoint, apart from the machine whose times it tells."""

from typing import Literal

from pydantic import Field

from serving.endpoint.clock import Clock, InstantClock, WallClock
from serving.fleet.limits import Limits
from specs.errors import SpecError
from specs.validation import Spec


class EndpointSettings(Spec):
    """Settings of an endpoint.

    Parameters
    ----------
    clock
        ``wall``: simulated time is that on the wall; ``scaled``: it is slower by
        `time_scale`; ``instant``: nobody waits for it.
    time_scale
        Seconds on the wall for a simulated second, with ``scaled``.
    seed
        Seed of texts, identifiers and injected faults.
    answer_tokens
        Tokens after which an answer ends by itself, if the request sets no limit.
    limits
        Rate limits of each key for each model.
    faults
        Probability of each injected fault.
    script
        Injected faults by the number of the request, before those that are drawn.
    api_key
        Key that requests must have; any is good without.
    most_waiting
        Requests of a model that may wait for a slot; more are refused.
    most_body_bytes
        Longest body that is read.
    body_s
        Seconds in which a body must arrive.
    drain_s
        Seconds that answers have to end in when the endpoint is told to stop.
    """

    clock: Literal["wall", "scaled", "instant"] = "wall"
    time_scale: float = Field(default=1.0, gt=0, le=1e6)
    seed: int = 1
    answer_tokens: int = Field(default=128, ge=1)
    limits: Limits = Limits()
    faults: dict[str, float] = Field(default_factory=dict)
    script: dict[int, str] = Field(default_factory=dict)
    api_key: str | None = None
    most_waiting: int = Field(default=1000, ge=0)
    most_body_bytes: int = Field(default=1 << 20, ge=1)
    body_s: float = Field(default=30.0, gt=0)
    drain_s: float = Field(default=5.0, ge=0)


def make_clock(settings: EndpointSettings) -> Clock:
    """Return the clock that the settings ask for.

    Raises
    ------
    SpecError
        If there is a time scale for a clock that has none, or none for ``scaled``.
    """
    scaled = settings.clock == "scaled"
    if scaled == (settings.time_scale == 1):
        raise SpecError(
            f"--clock {settings.clock} with --time-scale {settings.time_scale:g}: "
            f"a scale other than 1 belongs to --clock scaled, and that clock needs "
            f"one, as in --clock scaled --time-scale 10"
        )
    if settings.clock == "instant":
        return InstantClock()
    return WallClock(settings.time_scale)
