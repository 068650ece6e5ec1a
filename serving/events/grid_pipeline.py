"""Grid pipeline: frames repeat on a grid while there is work, event by event."""

from collections import deque
from collections.abc import Callable, Generator
from functools import partial
from typing import final

from simpy import Environment, Event, Interrupt

from serving.events.job import Job, JobLog
from serving.events.moments import START, Moment
from serving.events.passes import Passes, begin_turn
from serving.fleet.fleet import FleetOutage
from serving.frame import FrameTimes

_WINDOW, _SLOT = 0, 1


@final
class GridPipeline:
    """Pipeline that runs windows and slots of one frame after another.

    As soon as nothing is under way it stops, and the next job starts the frames anew.

    Parameters
    ----------
    env
        Environment; its time is in cycles.
    times
        The frame.
    own_slot
        Whether a prompt passes through its own slot instead of windows.
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
        times: FrameTimes,
        log: JobLog,
        *,
        own_slot: bool,
        prompted: Callable[[Job], None],
        outages: list[FleetOutage],
    ) -> None:
        self._env, self._times, self._log = env, times, log
        self._own_slot, self._prompted = own_slot, prompted
        self._outages = deque(outages)
        self._passes = Passes(env, self._stop_if_idle)
        self._queue: deque[Job] = deque()
        self._slots: dict[int, Job] = {}
        self._free = dict.fromkeys(range(times.slots), 0)
        self._prompting: Job | None = None
        # Chunks that have fallen behind, and the windows until they go on to the end.
        self._behind: list[tuple[Job, int]] = []
        self._wake = env.event()
        self._running = False
        self._process = env.process(self._run())

    def enter(self, job: Job) -> None:
        """Take a job whose prompt, or whose keys and values, are on the chips."""
        self._queue.append(job)
        if not job.chunks:
            self._assign()
        if not self._wake.triggered:
            self._wake.succeed()

    def _run(self) -> Generator[Event, None, None]:
        """Return the process that runs frames while there is work."""
        env = self._env
        while True:
            if self._outages and self._outages[0].at_cycle <= env.now:
                yield env.timeout(self._stopped())
            elif self._queue or self._slots:
                self._running = True
                try:
                    yield from self._frames()
                except Interrupt:
                    self._free = dict.fromkeys(self._free, 0)
            else:
                self._wake = env.event()
                idle = [self._wake]
                if self._outages:
                    idle.append(env.timeout(self._outages[0].at_cycle - int(env.now)))
                yield env.any_of(idle)

    def _stop_if_idle(self) -> None:
        """Stop the frames if nothing is under way."""
        under_way = self._slots or self._behind or self._passes.under_way
        if self._running and not (self._queue or under_way):
            self._running = False
            self._process.interrupt()

    def _frames(self) -> Generator[Event, None, None]:
        """Run frame after frame from now on, until the process is stopped."""
        env, times = self._env, self._times
        starts = [
            (times.window_start(window), _WINDOW, window)
            for window in range(times.windows)
        ]
        starts += [
            (times.slot_start(0, slot), _SLOT, slot) for slot in range(times.slots)
        ]
        begin = int(env.now)
        while True:
            yield Moment(env, begin, START)
            stopped = self._stopped()
            if stopped:
                yield env.timeout(stopped)
                begin += stopped
            for offset, kind, number in sorted(starts):
                yield Moment(env, begin + offset, START)
                self._run_slot(number) if kind == _SLOT else self._run_window()
            begin += times.frame_cycles

    def _stopped(self) -> int:
        """Return for how long an outage stops the pipeline now, and stop its passes."""
        stopped = 0
        while self._outages and self._outages[0].at_cycle <= self._env.now + stopped:
            stopped += self._outages.popleft().cycles
        self._passes.stop(stopped)
        return stopped

    def _run_window(self) -> None:
        """Start a chunk of the oldest prompt in a window, and let others go on."""
        behind = [(job, windows - 1) for job, windows in self._behind]
        self._behind = [each for each in behind if each[1]]
        for late, windows in behind:
            if not windows:
                self._passes.begin(self._times.pass_cycles, partial(self._choose, late))
        if self._prompting is None and self._queue and self._free:
            self._prompting = self._queue.popleft()
            self._seat(self._prompting)
        job = self._prompting
        if job is None:
            return
        self._start_chunk(job)
        if not job.chunks:
            self._prompting = None
            if not job.turns:
                self._free_after(job, self._times.window_cycles)

    def _run_slot(self, slot: int) -> None:
        """Start what the sequence of a slot does in its turn."""
        if self._own_slot and slot in self._free and self._queue:
            self._seat(self._queue.popleft(), slot)
        job = self._slots.get(slot)
        if job is None:
            return
        if self._own_slot and job.chunks:
            self._start_chunk(job)
        elif job.prompted and job.turns:
            begin_turn(self._passes, self._env, self._log, job, self._times)
        else:
            return
        if not job.chunks and not job.turns:
            self._free_after(job, self._times.slot_cycles)

    def _start_chunk(self, job: Job) -> None:
        """Start a pass of a prompt."""
        if not job.started:
            self._log.start(job, int(self._env.now))
        job.chunks -= 1
        if job.chunks:
            return
        if self._times.behind_windows:
            self._behind.append((job, self._times.behind_windows))
            return
        self._passes.begin(self._times.pass_cycles, partial(self._choose, job))

    def _choose(self, job: Job) -> None:
        """End the prompt of a job with its first token."""
        self._log.choose(job, int(self._env.now))
        self._prompted(job)
        if not job.turns:
            self._log.end(job, int(self._env.now))

    def _assign(self) -> None:
        """Give free slots to jobs that only decode."""
        while self._queue and not self._queue[0].chunks and self._free:
            self._seat(self._queue.popleft())

    def _seat(self, job: Job, slot: int = -1) -> None:
        """Give a job a slot: the one that has been free for longest."""
        if slot < 0:
            slot = min(self._free, key=lambda each: (self._free[each], each))
        del self._free[slot]
        self._slots[slot] = job
        self._log.take_slot(job, slot)

    def _free_after(self, job: Job, cycles: int) -> None:
        """Free the slot of a job when its last pass has left the first stage."""

        def free() -> Generator[Event, None, None]:
            yield self._env.timeout(cycles)
            del self._slots[job.slot]
            self._free[job.slot] = int(self._env.now)
            self._log.leave()
            self._assign()
            self._stop_if_idle()

        self._env.process(free())
