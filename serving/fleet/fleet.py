"""Fleet: replicas of a pipeline, and what decides which requests they serve."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, final

from serving.fleet.limits import Limits
from serving.frame import Frame, Pace, Policy
from serving.service_times import ServiceTimes
from specs.errors import SpecError


class Router(StrEnum):
    """Which replica a request goes to."""

    ROUND_ROBIN = "round_robin"
    LEAST_QUEUE = "least_queue"
    BY_CLASS = "by_class"
    BY_CONTEXT = "by_context"
    PREFIX = "prefix"


class FleetOutage(NamedTuple):
    """A replica that stops at the next frame, to fail over, and then goes on.

    Passes that are under way end later by the whole outage.
    """

    replica: int
    at_cycle: int
    cycles: int


class CacheSizes(NamedTuple):
    """Prefix cache of a replica, in positions; least recently used ones leave first.

    Attributes
    ----------
    block_tokens
        Positions of a block, which is kept or not as a whole.
    sram_tokens, host_tokens
        Positions kept on the chips, and on their hosts.
    expiry_cycles
        A block that is not used for so long is gone.
    """

    block_tokens: int
    sram_tokens: int
    host_tokens: int
    expiry_cycles: int


class Transfer(NamedTuple):
    """Link from a replica that computes prompts to one that decodes.

    Attributes
    ----------
    cycles_per_token, latency_cycles
        What a position's keys and values take on it, and its latency.
    """

    cycles_per_token: int
    latency_cycles: int


_NO_TRANSFER = Transfer(0, 0)


@final
@dataclass(frozen=True, kw_only=True)
class Fleet:
    """Replicas of a pipeline that serve requests.

    Parameters
    ----------
    times
        Times of the compiled programs of a replica.
    frame
        What repeats on each replica.
    replicas
        Number of replicas.
    router
        Which replica a request goes to.
    in_flight
        Whether a frame is only as long as the largest context in flight needs, and
        changes its program when that changes; else it always fits the frame's context.
    limits
        Limits of every tenant, None for none.
    flex_waiting
        Requests that may wait on a replica before those of the tier ``flex`` are
        refused.
    cache
        Prefix cache of every replica, None for none.
    outages
        When replicas fail over.
    transfer
        For policy ``apart``: the link that keys and values cross.
    """

    times: ServiceTimes
    frame: Frame
    replicas: int = 1
    router: Router = Router.ROUND_ROBIN
    in_flight: bool = False
    limits: Limits | None = None
    flex_waiting: int = 0
    cache: CacheSizes | None = None
    outages: tuple[FleetOutage, ...] = ()
    transfer: Transfer = _NO_TRANSFER

    def __post_init__(self) -> None:
        """Refuse fleets that cannot be.

        Raises
        ------
        SpecError
            If there is no replica, prompts have no windows, or an outage is of no
            replica.
        """
        if self.replicas < 1:
            raise SpecError(f"fleet: replicas must be > 0, got {self.replicas}")
        if self.frame.policy is Policy.WINDOWS and not self.frame.windows:
            raise SpecError(
                "frame: 0 windows serve no prompt; set windows >= 1, or use policy = "
                "slots"
            )
        if self.in_flight and self.frame.policy is Policy.APART:
            raise SpecError(
                "policy apart decodes at the frame's context; leave in_flight out"
            )
        if (
            self.in_flight
            and self.frame.policy is Policy.WINDOWS
            and self.frame.pace is Pace.TOKEN
        ):
            raise SpecError(
                "in_flight changes the frame under way, so that chunks set its pace; "
                "use pace = chunk"
            )
        for outage in self.outages:
            if not 0 <= outage.replica < self.replicas:
                raise SpecError(
                    f"outage of replica {outage.replica}: there are {self.replicas}, "
                    f"numbered from 0"
                )

    @property
    def at_boundaries(self) -> bool:
        """Return whether requests start at frame boundaries alone."""
        return self.in_flight or self.frame.policy is Policy.ALTERNATE

    def outages_of(self, replica: int) -> list[FleetOutage]:
        """Return the outages of a replica, the first one first."""
        own = [each for each in self.outages if each.replica == replica]
        return sorted(own, key=lambda each: each.at_cycle)
