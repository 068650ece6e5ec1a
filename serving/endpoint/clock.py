"""Clocks of an endpoint: how simulated time passes while clients wait.

Due times are absolute, so that lateness of the computer never adds up.
"""

import asyncio
import time
from collections.abc import Coroutine
from heapq import heappop, heappush
from typing import Any, Protocol, final

_PS_PER_S = 10**12
_PS_PER_NS = 1000
# Turns of the event loop in which a task that was woken sends and asks to wait again.
_TURNS = 3


class Clock(Protocol):
    """Simulated time of an endpoint."""

    def now_ps(self) -> int:
        """Return the simulated time since the endpoint began."""

    def limits_s(self) -> float:
        """Return the seconds by which rate limits are counted."""

    async def wait_until(self, due_ps: int) -> None:
        """Wait until a simulated time; let other tasks run in any case."""

    async def wait_until_or(self, due_ps: int, event: asyncio.Event) -> None:
        """Wait until a simulated time or an event, whichever is first."""


async def _first_of(wait: Coroutine[Any, Any, None], event: asyncio.Event) -> None:
    async def changed() -> None:
        await event.wait()

    tasks = [asyncio.create_task(wait), asyncio.create_task(changed())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


@final
class WallClock:
    """Simulated time as fast as the time on the wall, or slower by a factor.

    Parameters
    ----------
    scale
        Seconds on the wall for a simulated second: 1, or the factor of ``scaled``.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self._scale = scale
        self._began_ns = time.monotonic_ns()

    def now_ps(self) -> int:
        """Return the simulated time since the endpoint began."""
        passed_ns = time.monotonic_ns() - self._began_ns
        return int(passed_ns * _PS_PER_NS / self._scale)

    def limits_s(self) -> float:
        """Return the seconds by which rate limits are counted: those of the client."""
        return time.monotonic()

    async def wait_until(self, due_ps: int) -> None:
        """Wait until a simulated time; let other tasks run in any case."""
        left_s = (due_ps - self.now_ps()) / _PS_PER_S * self._scale
        await asyncio.sleep(max(left_s, 0))

    async def wait_until_or(self, due_ps: int, event: asyncio.Event) -> None:
        """Wait until a simulated time or an event, whichever is first."""
        await _first_of(self.wait_until(due_ps), event)


@final
class InstantClock:
    """Simulated time that jumps to the next due time when every task waits.

    Tasks are woken in the order of their due times. A request arrives at the due time
    of what was sent last; one that finds the endpoint idle arrives at the start of a
    cycle, so that its times do not depend on what was before it by a picosecond.
    """

    def __init__(self) -> None:
        self._now_ps = 0
        self._idle_ps = 0
        self._skipped_s = 0.0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._number = 0
        self._waker: asyncio.Task[None] | None = None

    def now_ps(self) -> int:
        """Return the simulated time since the endpoint began."""
        return self._now_ps

    def limits_s(self) -> float:
        """Return the seconds by which rate limits are counted.

        They are those of the wall, for a client that backs off sleeps there, and those
        that were skipped on purpose.
        """
        return time.monotonic() + self._skipped_s

    def skip(self, seconds: float) -> None:
        """Let simulated seconds pass at once, for a client that sleeps in that time."""
        self._now_ps += int(seconds * _PS_PER_S)
        self._skipped_s += seconds

    def jump(self, to_ps: int) -> None:
        """Go on at a later simulated time, while nothing is in flight."""
        if to_ps > self._now_ps:
            self._idle_ps += to_ps - self._now_ps
            self._now_ps = to_ps

    def stopwatch_ps(self) -> int:
        """Return the simulated time that a client's stopwatch shows: without jumps."""
        return self._now_ps - self._idle_ps

    async def wait_until(self, due_ps: int) -> None:
        """Wait until a simulated time; let other tasks run in any case."""
        if due_ps <= self._now_ps:
            await asyncio.sleep(0)
            return
        await self._woken_at(due_ps)

    async def wait_until_or(self, due_ps: int, event: asyncio.Event) -> None:
        """Wait until a simulated time or an event, whichever is first."""
        await _first_of(self.wait_until(due_ps), event)

    def _woken_at(self, due_ps: int) -> "asyncio.Future[None]":
        woken = asyncio.get_running_loop().create_future()
        self._number += 1
        heappush(self._waiting, (due_ps, self._number, woken))
        if self._waker is None or self._waker.done():
            self._waker = asyncio.create_task(self._wake())
        return woken

    async def _wake(self) -> None:
        """Wake those that wait, one after another, until nobody does."""
        while self._waiting:
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            due_ps, _, woken = heappop(self._waiting)
            if not woken.done():
                self._now_ps = max(self._now_ps, due_ps)
                woken.set_result(None)
