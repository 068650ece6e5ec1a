"""Passes under way in a pipeline, which end later if it stops."""

from collections.abc import Callable, Generator
from typing import final

from simpy import Environment, Event, Interrupt, Process

from serving.events.job import Job, JobLog
from serving.frame import FrameTimes


@final
class Passes:
    """Passes of one pipeline, each a process.

    Parameters
    ----------
    env
        Environment; its time is in cycles.
    after
        Called when a pass has ended and what follows from it is done.
    """

    def __init__(
        self, env: Environment, after: Callable[[], None] = lambda: None
    ) -> None:
        self._env, self._after = env, after
        self._under_way: dict[Process, None] = {}
        self._ended = env.event()

    @property
    def under_way(self) -> int:
        """Return the number of passes that have begun and not ended."""
        return len(self._under_way)

    def next_end(self) -> Event:
        """Return the event that the next pass ends."""
        return self._ended

    def begin(self, cycles: int, then: Callable[[], None]) -> None:
        """Begin a pass that takes some cycles, and do something when it ends."""
        process = self._env.process(self._pass(cycles, then))
        self._under_way[process] = None

    def stop(self, cycles: int) -> None:
        """Stop all passes under way for some cycles."""
        for process in self._under_way:
            process.interrupt(cycles)

    def _pass(
        self, cycles: int, then: Callable[[], None]
    ) -> Generator[Event, None, None]:
        """Return the process of a pass."""
        # A process starts within the cycle in which it was begun.
        process = self._env.active_process
        left = cycles
        while left:
            began = int(self._env.now)
            try:
                yield self._env.timeout(left)
                left = 0
            except Interrupt as stopped:
                left -= int(self._env.now) - began
                yield self._env.timeout(int(stopped.cause or 0))
        assert process is not None
        del self._under_way[process]
        then()
        self._after()
        self._ended.succeed()
        self._ended = self._env.event()


def begin_turn(
    passes: Passes, env: Environment, log: JobLog, job: Job, times: FrameTimes
) -> None:
    """Begin a decode turn of a job."""
    job.decoded += 1
    job.turns -= 1
    turn, last = job.decoded, not job.turns
    passes.begin(
        times.token_cycles, lambda: log.turn(job, int(env.now), turn, last=last)
    )
