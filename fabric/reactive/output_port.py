"""Output port of the reactive baseline model: arbiter, wire and credits.

The port decides at run time, which the scheduled machine never does. It arbitrates the
wire by round robin, and sends a packet only if the receive buffer at the far end has a
free place.
"""

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import final

import simpy
from simpy.events import Event, Timeout

_NEVER = 2**63


@final
class OutputPort:
    """Output port of a directed link: round-robin arbitration, credit flow control.

    A row of `fabric.reactive.traffic.Journeys` represents a packet on this link.

    Parameters
    ----------
    env
        SimPy environment.
    vector_ps
        Serialisation time of a packet.
    credit_ps
        Time from when a place is freed until the port may use it.
    places
        Capacity of each virtual channel of the buffer at the far end.
    channels
        Number of virtual channels.
    requester, channel
        Requester of the wire, and virtual channel of the packet, by row.
    send
        Called with a row that has been granted the wire; returns the time at which its
        place is free again, -1 if that is not known yet.
    """

    def __init__(
        self,
        env: simpy.Environment,
        *,
        vector_ps: int,
        credit_ps: int,
        places: int,
        channels: int,
        requester: list[int],
        channel: list[int],
        send: Callable[[int], int],
    ) -> None:
        self._env = env
        self._vector_ps = vector_ps
        self._credit_ps = credit_ps
        self._requester = requester
        self._channel = channel
        self._send = send
        # Waiting requesters, ascending, so that the round robin does not depend on the
        # order of requests; each with its packets in order.
        self._waiting: list[int] = []
        self._queues: dict[int, deque[int]] = {}
        self._served = -1
        self._credits = [places] * channels
        # Return times of credits. They need no event of their own: the port reads them
        # at its next arbitration, and is woken only if no other event does so.
        self._returns: list[list[int]] = [[] for _ in range(channels)]
        self._free_ps = 0
        self._wake_ps = _NEVER

    def request(self, row: int) -> None:
        """Queue a packet for the wire; it may be granted at once."""
        key = self._requester[row]
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = deque()
        queue.append(row)
        if len(queue) > 1:
            return
        insort(self._waiting, key)
        now: int = self._env.now  # type: ignore[assignment]
        if now >= self._free_ps:
            self._arbitrate(now)
        else:
            self._wake(self._free_ps, now)

    def free(self, channel: int) -> None:
        """Return the credit of a place of `channel` that is free from now on."""
        now: int = self._env.now  # type: ignore[assignment]
        heappush(self._returns[channel], now + self._credit_ps)
        if self._waiting:
            self._wake(max(now + self._credit_ps, self._free_ps), now)

    @property
    def blocked(self) -> list[int]:
        """Return the first packet of each waiting requester, in round-robin order."""
        return [self._queues[key][0] for key in self._waiting]

    def _wake(self, at_ps: int, now: int) -> None:
        """Schedule an arbitration at `at_ps` unless there is an earlier one."""
        if at_ps < self._wake_ps:
            self._wake_ps = at_ps
            event = Timeout(self._env, at_ps - now)
            event.callbacks.append(self._woken)

    def _woken(self, _: Event) -> None:
        """Arbitrate if this event is the scheduled one."""
        now: int = self._env.now  # type: ignore[assignment]
        # An earlier arbitration may have been scheduled since; then this one is void.
        if now != self._wake_ps:
            return
        self._wake_ps = _NEVER
        if not self._waiting:
            return
        if now >= self._free_ps:
            self._arbitrate(now)
        else:
            # Scheduled for a credit; another requester was granted meanwhile.
            self._wake(self._free_ps, now)

    def _arbitrate(self, now: int) -> None:
        """Give the free wire to the next requester whose channel has a credit."""
        waiting, credits_left = self._waiting, self._credits
        following = bisect_right(waiting, self._served)
        earliest_ps = _NEVER
        for step in range(len(waiting)):
            place = (following + step) % len(waiting)
            queue = self._queues[waiting[place]]
            channel = self._channel[queue[0]]
            returns = self._returns[channel]
            while returns and returns[0] <= now:
                heappop(returns)
                credits_left[channel] += 1
            if credits_left[channel]:
                self._grant(place, queue, channel, now)
                return
            if returns:
                earliest_ps = min(earliest_ps, returns[0])
        if earliest_ps < _NEVER:
            self._wake(earliest_ps, now)

    def _grant(self, place: int, queue: deque[int], channel: int, now: int) -> None:
        """Send the first packet of a requester."""
        self._served = self._waiting[place]
        row = queue.popleft()
        if not queue:
            del self._waiting[place]
        self._credits[channel] -= 1
        self._free_ps = now + self._vector_ps
        freed_ps = self._send(row)
        if freed_ps >= 0:
            heappush(self._returns[channel], freed_ps + self._credit_ps)
        if self._waiting:
            self._wake(self._free_ps, now)
