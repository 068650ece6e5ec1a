"""Prompt server: a pipeline that only computes prompts, and the link behind it."""

from collections import deque
from collections.abc import Callable, Generator
from typing import final

from simpy import Environment, Event

from serving.events.job import Job, JobLog
from serving.events.moments import ARRIVE, START, Moment
from serving.events.passes import Passes
from serving.fleet.fleet import Transfer
from serving.frame import FrameTimes


@final
class PromptServer:
    """Pipeline of prompts, chunk after chunk, that sends keys and values on.

    Parameters
    ----------
    env
        Environment; its time is in cycles.
    times
        Windows and passes.
    log
        Where all that happens is recorded.
    transfer
        The link.
    prompted
        Called with a job when its prompt has been computed.
    decode
        Called with a job when its keys and values are on the chips that decode.
    """

    def __init__(
        self,
        env: Environment,
        times: FrameTimes,
        log: JobLog,
        transfer: Transfer,
        *,
        prompted: Callable[[Job], None],
        decode: Callable[[Job], None],
    ) -> None:
        self._env, self._times, self._log = env, times, log
        self._transfer, self._prompted, self._decode = transfer, prompted, decode
        self._passes = Passes(env)
        self._queue: deque[Job] = deque()
        self._to_send: deque[Job] = deque()
        self._busy = self._sending = False

    def enter(self, job: Job) -> None:
        """Take a job whose prompt is on the chips."""
        self._queue.append(job)
        if not self._busy:
            self._busy = True
            self._env.process(self._compute())

    def _compute(self) -> Generator[Event, None, None]:
        """Return the process that computes prompts until none is left."""
        while self._queue:
            yield Moment(self._env, int(self._env.now), START)
            job = self._queue.popleft()
            self._log.start(job, int(self._env.now))
            while job.chunks:
                job.chunks -= 1
                if not job.chunks:
                    self._passes.begin(
                        self._times.pass_cycles,
                        lambda done=job: self._choose(done),  # type: ignore[misc]
                    )
                yield self._env.timeout(self._times.window_cycles)
            if not job.turns:
                self._log.leave()
        self._busy = False

    def _choose(self, job: Job) -> None:
        """End the prompt of a job, and send its keys and values."""
        self._log.choose(job, int(self._env.now))
        self._prompted(job)
        if not job.turns:
            self._log.end(job, int(self._env.now))
            return
        self._to_send.append(job)
        if not self._sending:
            self._sending = True
            self._env.process(self._send())

    def _send(self) -> Generator[Event, None, None]:
        """Return the process that sends keys and values, one request after another."""
        while self._to_send:
            job = self._to_send.popleft()
            cycles = job.prompt_tokens * self._transfer.cycles_per_token
            yield self._env.timeout(cycles)
            self._env.process(self._deliver(job))
        self._sending = False

    def _deliver(self, job: Job) -> Generator[Event, None, None]:
        """Return the process in which the last of a transfer arrives."""
        there = int(self._env.now) + self._transfer.latency_cycles
        yield Moment(self._env, there, ARRIVE)
        self._decode(job)
