"""Boundary replica: a replica that decides at the start of each frame what is in it.

Frames are as long as the contexts in flight need, or prompts and decoding alternate.
Later requests delay earlier ones there, so that times are known frame by frame.
"""

from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import final

from serving.fleet.fleet import Fleet
from serving.frame import FrameTimes, Policy, frame_times
from serving.results.served import Served
from serving.timetable.admission import Work

_NEVER = 2**62


@final
@dataclass(slots=True)
class _Sequence:
    """A request on its way through a replica."""

    request: int
    work: Work
    prompt_tokens: int
    cached_tokens: int
    slot: int = -1
    chunks: int = 0
    turns: int = 0
    chosen: int | None = None
    ends: list[int] = field(default_factory=list)


@final
class BoundaryReplica:
    """Replica of a fleet whose requests start at frame boundaries alone.

    Parameters
    ----------
    fleet
        The fleet.
    replica
        Its number.
    served
        Result to fill in.
    """

    def __init__(self, fleet: Fleet, replica: int, served: Served) -> None:
        frame, times = fleet.frame, fleet.times
        self._fleet, self._served, self._replica = fleet, served, replica
        buckets = range(len(times.context_tokens))
        self._times = [frame_times(times, frame, bucket) for bucket in buckets]
        self._fixed = times.bucket_of(frame.context_tokens)
        self._queue: deque[_Sequence] = deque()
        self._slots: dict[int, _Sequence] = {}
        self._free = [0] * frame.slots
        self._outages = deque(fleet.outages_of(replica))
        self._now = self._last_ready = self._drained = 0
        self._program: tuple[str, int] | None = None
        self._present = 0
        self._frees: list[int] = []
        self._starts: deque[int] = deque()
        self._computing: list[int] = []

    def waiting(self, cycle: int) -> int:
        """Return the requests that have not started before a cycle."""
        while self._starts and self._starts[0] < cycle:
            self._starts.popleft()
        return len(self._starts) + len(self._queue)

    def present(self, cycle: int) -> int:
        """Return the requests that wait or have a slot at a cycle."""
        while self._frees and self._frees[0] <= cycle:
            heappop(self._frees)
            self._present -= 1
        return self._present

    def arrive(self, request: int, work: Work, prompt_tokens: int) -> int:
        """Put a request into the queue; it is not known yet when it will start.

        Parameters
        ----------
        request, work
            Its number, and what it asks for; calls reach the chips in order.
        prompt_tokens
            Positions of its prompt.
        """
        ready = self._last_ready = max(self._last_ready, work.ready_cycle)
        cached = int(self._served.cached_tokens[request])
        work = work._replace(ready_cycle=ready)
        self._queue.append(_Sequence(request, work, prompt_tokens, cached))
        self._present += 1
        self._served.replica[request] = self._replica
        self._served.ready_cycle[request] = ready
        return -1

    def advance(self, cycle: int) -> None:
        """Run all frames that start before a cycle."""
        while self._now < cycle and (self._queue or self._slots or self._outages):
            if not (self._queue or self._slots or self._stops_before(cycle)):
                break
            self._step(cycle)

    def finish(self) -> None:
        """Run all frames until nothing is left."""
        while self._queue or self._slots or self._outages:
            self._step(_NEVER)

    def computed(self, cycle: int) -> list[int]:
        """Return the requests whose prompts have been computed since the last call."""
        done = self._served.chosen_cycle
        ended = [request for request in self._computing if done[request] <= cycle]
        self._computing = [
            request for request in self._computing if done[request] > cycle
        ]
        return ended

    def _stops_before(self, cycle: int) -> bool:
        """Return whether an outage begins before a cycle."""
        return bool(self._outages) and self._outages[0].at_cycle < cycle

    def _step(self, until: int) -> None:
        """Run one frame, or wait until there is something to run, or until a cycle."""
        if self._outages and self._outages[0].at_cycle <= self._now:
            self._fail_over(self._outages.popleft().cycles)
        elif not self._run_frame():
            later = [self._queue[0].work.ready_cycle] if self._queue else []
            later += [each.chosen for each in self._slots.values() if each.chosen]
            later += [each.at_cycle for each in list(self._outages)[:1]]
            # A request that is not placed yet may start a frame before these.
            self._now = min([until, *(cycle for cycle in later if cycle > self._now)])

    def _fail_over(self, cycles: int) -> None:
        """Stop for an outage; what is under way ends later."""
        served, now = self._served, self._now
        for sequence in self._slots.values():
            if sequence.chosen is not None and sequence.chosen > now:
                sequence.chosen += cycles
        for column in (served.chosen_cycle, served.second_cycle, served.end_cycle):
            late = (served.replica == self._replica) & (column > now)
            column[late] += cycles
        if self._drained > now:
            self._drained += cycles
        self._now += cycles

    def _run_frame(self) -> bool:
        """Run what there is to do at a boundary; return whether there was any."""
        if self._fleet.frame.policy is Policy.ALTERNATE:
            return self._run_prompts() or self._run_decode([], [])
        if self._fleet.frame.policy is Policy.SLOTS:
            self._admit(self._fleet.frame.slots)
            own = [
                each for each in self._slots.values() if each.chunks < each.work.chunks
            ]
            return self._run_decode([], own)
        return self._run_decode(self._windows(), [])

    def _windows(self) -> list[_Sequence]:
        """Return the prompt in each window of the frame, in order."""
        taken: list[_Sequence] = []
        for sequence in list(self._slots.values()):
            left = sequence.work.chunks - sequence.chunks
            taken += [sequence] * left
        while len(taken) < self._fleet.frame.windows:
            more = self._admit(1)
            if not more:
                break
            taken += more * more[0].work.chunks
        return taken[: self._fleet.frame.windows]

    def _admit(self, most: int) -> list[_Sequence]:
        """Return the requests that get a slot now, the first that came first."""
        admitted: list[_Sequence] = []
        if not self._slots and self._drained <= self._now:
            # Nothing is under way: each request that comes then finds the same.
            self._free = [0] * len(self._free)
        while self._queue and len(admitted) < most:
            if self._queue[0].work.ready_cycle > self._now:
                break
            free = min((self._free[slot], slot) for slot in range(len(self._free)))
            if free[0] > self._now:
                break
            sequence = self._queue.popleft()
            sequence.slot = free[1]
            self._free[sequence.slot] = _NEVER
            self._slots[sequence.slot] = sequence
            self._served.slot[sequence.request] = sequence.slot
            admitted.append(sequence)
        return admitted

    def _run_prompts(self) -> bool:
        """Run the prompts of all requests that get a slot, one after the other."""
        prompts = self._admit(self._fleet.frame.slots)
        if not prompts:
            return False
        bucket = self._bucket([each.prompt_tokens for each in prompts])
        times, start = self._times[bucket], self._begin("prompts", bucket)
        for sequence in prompts:
            for _ in range(sequence.work.chunks):
                self._pass(sequence, start, times)
                start += times.window_cycles
        # The decode program begins when the last pass has left all stages.
        self._now = max(each.chosen or 0 for each in prompts)
        for sequence in prompts:
            self._leave_if_done(sequence, sequence.chosen or 0)
        return True

    def _run_decode(self, windows: list[_Sequence], own: list[_Sequence]) -> bool:
        """Run a frame with prompts in windows, or in their own slots."""
        now = self._now
        turning = [
            each
            for each in self._slots.values()
            if each.chosen is not None and each.chosen <= now
        ]
        needs = [each.prompt_tokens + each.turns + 1 for each in turning]
        done: dict[int, int] = {}
        for sequence in [*windows, *own]:
            done[sequence.slot] = done.get(sequence.slot, sequence.chunks) + 1
        chunk = self._fleet.frame.chunk_tokens
        for slot, chunks in done.items():
            sequence = self._slots[slot]
            computed = sequence.cached_tokens + chunks * chunk
            needs.append(min(computed, sequence.prompt_tokens))
        if not needs:
            return False
        bucket = self._bucket(needs)
        times, start = self._times[bucket], self._begin("decode", bucket)
        for number, sequence in enumerate(windows):
            self._pass(sequence, start + number * times.window_cycles, times)
        for sequence in own:
            self._pass(sequence, start + times.slot_start(0, sequence.slot), times)
        for sequence in turning:
            at = start + times.slot_start(0, sequence.slot)
            end = at + times.token_cycles
            if not sequence.turns:
                self._served.second_cycle[sequence.request] = end
            sequence.turns += 1
            self._served.end_cycle[sequence.request] = end
            self._drained = max(self._drained, end)
        self._now = start + times.frame_cycles
        for sequence in list(self._slots.values()):
            self._leave_if_done(sequence, self._now)
        return True

    def _bucket(self, needs: list[int]) -> int:
        """Return the bucket of a frame, by the contexts that it needs."""
        if not self._fleet.in_flight:
            return self._fixed
        return self._fleet.times.bucket_of(max(needs))

    def _begin(self, kind: str, bucket: int) -> int:
        """Return when a frame starts: later if its program is not the last one."""
        changed = self._program not in {None, (kind, bucket)}
        self._program = kind, bucket
        if not changed:
            return self._now
        # Passes that have begun end, then all chips change their program.
        return max(self._now, self._drained) + self._fleet.times.change_cycles

    def _pass(self, sequence: _Sequence, start: int, times: FrameTimes) -> None:
        """Run the next chunk of a prompt."""
        served, request = self._served, sequence.request
        if not sequence.chunks:
            served.admitted_cycle[request] = start
            self._starts.append(start)
        sequence.chunks += 1
        self._drained = max(self._drained, start + times.pass_cycles)
        if sequence.chunks == sequence.work.chunks:
            sequence.chosen = start + times.pass_cycles
            served.chosen_cycle[request] = sequence.chosen
            served.second_cycle[request] = sequence.chosen
            served.end_cycle[request] = sequence.chosen
            self._computing.append(request)

    def _leave_if_done(self, sequence: _Sequence, free: int) -> None:
        """Free the slot of a request that has started its last pass."""
        if sequence.chosen is not None and sequence.turns == sequence.work.turns:
            del self._slots[sequence.slot]
            self._free[sequence.slot] = free
            heappush(self._frees, free)
