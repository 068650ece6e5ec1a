"""Grid replica: a replica whose frames repeat on a grid while it has work."""

from collections import deque
from heapq import heappop, heappush
from typing import final

from serving.fleet.fleet import Fleet
from serving.frame import Policy, frame_times
from serving.results.served import Served
from serving.timetable.admission import (
    Placed,
    SlotAdmission,
    WindowAdmission,
    Work,
)
from serving.timetable.machine_time import MachineTime


@final
class GridReplica:
    """Replica of a fleet that promises each request its times when it arrives.

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
        times = frame_times(fleet.times, fleet.frame)
        self._times, self._served, self._replica = times, served, replica
        self._time = MachineTime(times.frame_cycles, fleet.outages_of(replica))
        self._apart = fleet.frame.policy is Policy.APART
        self._transfer = fleet.transfer
        self._prompts_free = self._link_free = self._last_ready = 0
        self._admission: WindowAdmission | SlotAdmission = (
            SlotAdmission(times)
            if fleet.frame.policy is Policy.SLOTS
            else WindowAdmission(times)
        )
        self._starts: deque[int] = deque()
        self._frees: list[int] = []

    def waiting(self, cycle: int) -> int:
        """Return the requests that have not started before a cycle."""
        starts = self._starts
        while starts and starts[0] < cycle:
            starts.popleft()
        return len(starts)

    def present(self, cycle: int) -> int:
        """Return the requests that wait or have a slot at a cycle."""
        while self._frees and self._frees[0] <= cycle:
            heappop(self._frees)
        return len(self._frees)

    def arrive(self, request: int, work: Work, prompt_tokens: int) -> int:
        """Place a request, and return when its prompt has been computed.

        Parameters
        ----------
        request
            Its number.
        work
            What it asks for; calls reach the chips in order.
        prompt_tokens
            Positions whose keys and values cross the link of policy ``apart``.
        """
        ready = self._last_ready = max(self._last_ready, work.ready_cycle)
        if self._apart:
            return self._arrive_apart(
                request, work._replace(ready_cycle=ready), prompt_tokens
            )
        time, placed = self._time, self._place(work._replace(ready_cycle=ready))
        chosen = time.end(placed.chosen_cycle)
        end = chosen
        second = chosen
        if work.turns:
            second = time.end(self._turn_end(placed.turn_cycle, 1))
            end = time.end(self._turn_end(placed.turn_cycle, work.turns))
        admitted = time.begin(placed.admitted_cycle)
        self._write(request, (placed.slot, ready, admitted, chosen, second, end))
        self._starts.append(admitted)
        heappush(self._frees, time.end(placed.free_cycle))
        return chosen

    def advance(self, cycle: int) -> None:
        """Do all that happens before a cycle: it is known already."""

    def finish(self) -> None:
        """Do all that is left: it is known already."""

    def _arrive_apart(self, request: int, work: Work, prompt_tokens: int) -> int:
        """Place a request whose prompt is computed on chips of its own."""
        times, time = self._times, self._time
        start = max(work.ready_cycle, self._prompts_free)
        self._prompts_free = start + work.chunks * times.window_cycles
        chosen = self._prompts_free - times.window_cycles + times.pass_cycles
        slot, second, end, free = -1, chosen, chosen, self._prompts_free
        if work.turns:
            sent = max(chosen, self._link_free)
            self._link_free = sent + prompt_tokens * self._transfer.cycles_per_token
            there = self._link_free + self._transfer.latency_cycles
            placed = self._place(Work(there, 0, work.turns))
            slot = placed.slot
            second = time.end(self._turn_end(placed.turn_cycle, 1))
            end = time.end(self._turn_end(placed.turn_cycle, work.turns))
            free = time.end(placed.free_cycle)
        self._write(request, (slot, work.ready_cycle, start, chosen, second, end))
        self._starts.append(start)
        heappush(self._frees, free)
        return chosen

    def _place(self, work: Work) -> Placed:
        """Return where a request is on the timetable of machine time."""
        time, admission = self._time, self._admission
        time.settle(work.ready_cycle, admission.origin_cycle, admission.idle_cycle)
        machine = time.machine(work.ready_cycle)
        (placed,) = admission.place([work._replace(ready_cycle=machine)])
        time.settle(work.ready_cycle, admission.origin_cycle, admission.idle_cycle)
        return placed

    def _turn_end(self, turn_cycle: int, turns: int) -> int:
        """Return the end of the last of some turns in machine time."""
        last = turn_cycle + (turns - 1) * self._times.frame_cycles
        return last + self._times.token_cycles

    def _write(self, request: int, row: tuple[int, int, int, int, int, int]) -> None:
        """Write what is known of a request."""
        served = self._served
        served.replica[request] = self._replica
        (
            served.slot[request],
            served.ready_cycle[request],
            served.admitted_cycle[request],
            served.chosen_cycle[request],
            served.second_cycle[request],
            served.end_cycle[request],
        ) = row
