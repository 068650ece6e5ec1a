"""Boundary pipeline: a replica that decides at the start of each frame, by events."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from functools import partial
from typing import final

from simpy import Environment, Event

from serving.events.job import Job, JobLog
from serving.events.moments import START, Moment
from serving.events.passes import Passes, begin_turn
from serving.fleet.fleet import Fleet, FleetOutage
from serving.frame import FrameTimes, Policy, frame_times


@final
class BoundaryPipeline:
    """Pipeline whose next frame follows from what is there when the last one ends.

    Parameters
    ----------
    env
        Environment; its time is in cycles.
    fleet
        The fleet.
    log
        Where all that happens is recorded.
    prompted
        Called with a job when its prompt has been computed.
    outages
        When the pipeline stops, the first one first.
    """

    def __init__(
        self,
        env: Environment,
        fleet: Fleet,
        log: JobLog,
        *,
        prompted: Callable[[Job], None],
        outages: list[FleetOutage],
    ) -> None:
        self._env, self._fleet, self._log = env, fleet, log
        self._prompted, self._outages = prompted, deque(outages)
        self._policy = fleet.frame.policy
        self._passes = Passes(env)
        self._queue: deque[Job] = deque()
        self._jobs: list[Job] = []
        self._free = dict.fromkeys(range(fleet.frame.slots), 0)
        self._program: tuple[bool, int] | None = None
        self._changed = env.event()
        env.process(self._frames())

    def enter(self, job: Job) -> None:
        """Take a job whose prompt is on the chips."""
        self._queue.append(job)
        self._notice()

    def _notice(self) -> None:
        """Let an idle pipeline look again at what there is to do."""
        if not self._changed.triggered:
            self._changed.succeed()

    def _frames(self) -> Generator[Event, None, None]:
        """Return the process that runs frame after frame."""
        env = self._env
        while True:
            yield Moment(env, int(env.now), START)
            if self._outages and self._outages[0].at_cycle <= env.now:
                cycles = self._outages.popleft().cycles
                self._passes.stop(cycles)
                yield env.timeout(cycles)
                continue
            alternate = self._policy is Policy.ALTERNATE
            ran = False
            if alternate and self._queue and self._free:
                yield from self._run_prompts()
                ran = True
            elif self._has_work():
                yield from self._run_frame()
                ran = True
            if not ran:
                self._changed = env.event()
                idle = [self._changed]
                if self._outages:
                    idle.append(env.timeout(self._outages[0].at_cycle - int(env.now)))
                yield env.any_of(idle)

    def _has_work(self) -> bool:
        """Return whether a frame would do anything."""
        if self._queue and self._free and self._policy is not Policy.ALTERNATE:
            return True
        return any(job.chunks or (job.prompted and job.turns) for job in self._jobs)

    def _seat(self) -> Job:
        """Give the oldest waiting job the slot that has been free for longest."""
        if not self._jobs and not self._passes.under_way:
            self._free = dict.fromkeys(self._free, 0)
        job = self._queue.popleft()
        slot = min(self._free, key=lambda each: (self._free[each], each))
        del self._free[slot]
        self._log.take_slot(job, slot)
        self._jobs.append(job)
        return job

    def _change(
        self, contexts: Iterable[int], *, prompts: bool
    ) -> Generator[Event, None, FrameTimes]:
        """Change the program if need be, and return the times of the next one."""
        fleet = self._fleet
        need = max(contexts) if fleet.in_flight else fleet.frame.context_tokens
        bucket = fleet.times.bucket_of(need)
        if self._program not in {None, (prompts, bucket)}:
            # Passes that have begun end, then all chips change their program.
            while self._passes.under_way:
                yield self._passes.next_end()
            yield self._env.timeout(fleet.times.change_cycles)
        self._program = prompts, bucket
        yield Moment(self._env, int(self._env.now), START)
        return frame_times(fleet.times, fleet.frame, bucket)

    def _run_prompts(self) -> Generator[Event, None, None]:
        """Run the prompts of all jobs that get a slot, then let the last one drain."""
        prompts = []
        while self._queue and self._free:
            prompts.append(self._seat())
        contexts = [job.prompt_tokens for job in prompts]
        times = yield from self._change(contexts, prompts=True)
        for job in prompts:
            while job.chunks:
                self._start_chunk(job, times)
                if job is not prompts[-1] or job.chunks:
                    yield Moment(
                        self._env, int(self._env.now) + times.window_cycles, START
                    )
        yield self._env.timeout(times.pass_cycles)
        for job in prompts:
            self._leave_if_done(job)

    def _run_frame(self) -> Generator[Event, None, None]:
        """Run a frame: chunks in windows or own slots, and a turn of each sequence."""
        frame = self._fleet.frame
        turning = [job for job in self._jobs if job.prompted]
        passes: list[Job] = []
        if self._policy is Policy.SLOTS:
            while self._queue and self._free:
                self._seat()
            passes = [job for job in self._jobs if job.chunks]
        elif self._policy is Policy.WINDOWS:
            for job in self._jobs:
                passes += [job] * job.chunks
            while len(passes) < frame.windows and self._queue and self._free:
                job = self._seat()
                passes += [job] * job.chunks
            passes = passes[: frame.windows]
        contexts = [job.prompt_tokens + job.decoded + 1 for job in turning]
        for job in passes:
            whole = -(-(job.prompt_tokens - job.cached_tokens) // frame.chunk_tokens)
            done = whole - job.chunks + passes.count(job)
            reached = job.cached_tokens + done * frame.chunk_tokens
            contexts.append(min(job.prompt_tokens, reached))
        times = yield from self._change(contexts, prompts=False)
        begin = int(self._env.now)
        steps: list[tuple[int, Callable[[], None]]] = []
        for number, job in enumerate(passes):
            offset = number * times.window_cycles
            if self._policy is Policy.SLOTS:
                offset = times.slot_start(0, job.slot)
            steps.append((offset, partial(self._start_chunk, job, times)))
        for job in turning:
            offset = times.slot_start(0, job.slot)
            steps.append((offset, partial(self._start_turn, job, times)))
        for offset, step in sorted(steps, key=lambda each: each[0]):
            yield Moment(self._env, begin + offset, START)
            step()
        yield self._env.timeout(begin + times.frame_cycles - int(self._env.now))
        for job in list(self._jobs):
            self._leave_if_done(job)

    def _start_chunk(self, job: Job, times: FrameTimes) -> None:
        """Start a pass of a prompt."""
        if not job.started:
            self._log.start(job, int(self._env.now))
        job.chunks -= 1
        then = (lambda: None) if job.chunks else partial(self._choose, job)
        self._passes.begin(times.pass_cycles, then)

    def _start_turn(self, job: Job, times: FrameTimes) -> None:
        """Start a decode turn of a job."""
        begin_turn(self._passes, self._env, self._log, job, times)

    def _choose(self, job: Job) -> None:
        """End the prompt of a job with its first token."""
        self._log.choose(job, int(self._env.now))
        self._prompted(job)
        if not job.turns:
            self._log.end(job, int(self._env.now))
        self._notice()

    def _leave_if_done(self, job: Job) -> None:
        """Free the slot of a job that has started its last pass."""
        if not job.chunks and not job.turns:
            self._jobs.remove(job)
            self._free[job.slot] = int(self._env.now)
            self._log.leave()
