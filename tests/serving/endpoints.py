"""Endpoints on a pipeline of round numbers: 1 MHz, so that a cycle is a microsecond."""

from typing import Any

from serving.endpoint.deployment import Deployment
from serving.endpoint.endpoint import Endpoint
from serving.endpoint.settings import EndpointSettings
from serving.fleet.fleet import CacheSizes
from serving.timetable.online import OnlineTimetable
from tests.serving.round_times import round_frame, round_times

CONTEXT = 4096
HELLO = [{"role": "user", "content": "Hello"}]
PS_PER_US = 10**6


def make_timetable(slots: int = 20) -> OnlineTimetable:
    """Return slots of 10 us behind two windows of 50 us: a frame of 300 us for 20."""
    times = round_times(
        clock_hz=10**6,
        slots=slots,
        context_tokens=[CONTEXT],
        slot_cycles=[10],
        # A sequence has no token before the last one is back: 150 cycles.
        period_cycles=[max(slots * 10, 150)],
        decode_certificates=("0123456789abcdef",),
    )
    return OnlineTimetable(times, round_frame(slots=slots, context_tokens=CONTEXT))


def make_deployment(
    *names: str,
    slots: int = 20,
    most_waiting: int = 1000,
    cache: CacheSizes | None = None,
) -> Deployment:
    """Return a deployment under these names, ``m`` if there are none."""
    timetable = make_timetable(slots)
    return Deployment(
        names or ("m",), timetable, most_waiting=most_waiting, cache=cache
    )


def make_endpoint(
    *names: str,
    slots: int = 20,
    most_waiting: int = 1000,
    cache: CacheSizes | None = None,
    **settings: Any,
) -> Endpoint:
    """Return an endpoint of one model whose clock is ``instant``."""
    deployment = make_deployment(
        *names, slots=slots, most_waiting=most_waiting, cache=cache
    )
    given = {"clock": "instant", **settings}
    return Endpoint([deployment], EndpointSettings(**given))
