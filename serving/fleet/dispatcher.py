"""Dispatcher: which replica takes a request, or why none does, in order of arrival.

Both engines ask it when a request is on the hosts, and tell it what waits on the
replicas then.
"""

from collections.abc import Callable
from typing import NamedTuple, final

from serving.fleet.fleet import Fleet, Router
from serving.fleet.limits import RateLimiter
from serving.fleet.prefix_cache import PrefixCache
from serving.requests.request_table import Outcome, RequestTable, Tier


class Dispatch(NamedTuple):
    """Where a request goes.

    Attributes
    ----------
    outcome
        Whether it is served.
    replica
        Its replica, -1 if it is refused.
    cached_tokens, restored_tokens
        Positions of its prompt that need no pass, and those that come from the hosts.
    """

    outcome: Outcome
    replica: int
    cached_tokens: int
    restored_tokens: int


@final
class Dispatcher:
    """Dispatcher of the requests of a fleet.

    Parameters
    ----------
    fleet
        The fleet.
    requests
        All requests.
    """

    def __init__(self, fleet: Fleet, requests: RequestTable) -> None:
        self._fleet, self._requests = fleet, requests
        self._limiters: dict[int, RateLimiter] = {}
        sizes = [fleet.cache] * fleet.replicas if fleet.cache else []
        self._caches = [PrefixCache(each) for each in sizes]
        self._turn = 0

    def dispatch(
        self,
        request: int,
        when: tuple[int, int],
        waiting: Callable[[int], int],
        present: Callable[[int], int],
    ) -> Dispatch:
        """Return where a request goes.

        Parameters
        ----------
        request
            Its number.
        when
            Its arrival in ps, and the cycle at which it is on the hosts.
        waiting, present
            Requests that wait on a replica, and those that wait or have a slot.
        """
        requests, fleet = self._requests, self._fleet
        arrival_ps, now = when
        prompt = int(requests.prompt_tokens[request])
        output = int(requests.output_tokens[request])
        if prompt + output > fleet.frame.context_tokens:
            return Dispatch(Outcome.TOO_LONG, -1, 0, 0)
        replica = self._replica(request, present)
        flex = requests.tier[request] == Tier.FLEX
        if flex and waiting(replica) >= fleet.flex_waiting:
            return Dispatch(Outcome.NO_CAPACITY, -1, 0, 0)
        cached = restored = 0
        if self._caches:
            blocks = self._blocks(request)
            cached, restored = self._caches[replica].look_up(request, blocks, now)
        cached = min(cached, prompt - 1)
        if fleet.limits is not None:
            tenant = int(requests.tenant[request])
            limiter = self._limiters.setdefault(tenant, RateLimiter(fleet.limits))
            if limiter.refused_by(arrival_ps, prompt - cached, output):
                if self._caches:
                    # It computes no block, so that the next one has to.
                    self._caches[replica].withdraw(request, self._blocks(request))
                return Dispatch(Outcome.RATE_LIMITED, -1, 0, 0)
        self._turn += 1
        return Dispatch(Outcome.COMPLETED, replica, cached, min(restored, cached))

    def computed(self, request: int, replica: int, at: int) -> None:
        """Say at which cycle the prompt of a request has been computed."""
        if self._caches:
            self._caches[replica].computed(request, self._blocks(request), at)

    def _blocks(self, request: int) -> tuple[int, ...]:
        """Return the blocks of a request's prompt that others may share."""
        blocks = self._requests.blocks
        return blocks[request] if blocks else ()

    def _replica(self, request: int, present: Callable[[int], int]) -> int:
        """Return the replica that the router names."""
        fleet, requests = self._fleet, self._requests
        count = fleet.replicas
        if fleet.router is Router.LEAST_QUEUE:
            return min(range(count), key=lambda replica: (present(replica), replica))
        if fleet.router is Router.BY_CLASS:
            return int(requests.kind[request]) % count
        if fleet.router is Router.BY_CONTEXT:
            length = requests.prompt_tokens[request] + requests.output_tokens[request]
            buckets = len(fleet.times.context_tokens)
            return fleet.times.bucket_of(int(length)) * count // buckets
        blocks = self._blocks(request)
        if fleet.router is Router.PREFIX and blocks:
            return blocks[0] % count
        return self._turn % count
