"""Online timetable: a request's whole future, known when it arrives."""

from typing import final

from serving.frame import Frame, FrameTimes, Policy, frame_times
from serving.service_times import ServiceTimes
from serving.timetable.admission import (
    Placed,
    SlotAdmission,
    WindowAdmission,
    Work,
)
from serving.timetable.ticket import Ticket
from specs.errors import SpecError
from specs.units import ceil_div


@final
class OnlineTimetable:
    """Timetable of a replica that admits one request at a time.

    Once admitted, a request's times never change, whatever arrives later, unless it or
    an earlier one is released.

    Parameters
    ----------
    times
        Times of the compiled programs.
    frame
        What repeats; its policy is ``windows`` or ``slots``.

    Raises
    ------
    SpecError
        If the policy has no timetable ahead of time, or the frame does not suit the
        compiled programs.
    """

    def __init__(self, times: ServiceTimes, frame: Frame) -> None:
        if frame.policy not in {Policy.WINDOWS, Policy.SLOTS}:
            raise SpecError(
                f"policy {frame.policy} lets later requests delay earlier ones, so "
                f"that no future is known; use windows or slots"
            )
        if frame.policy is Policy.WINDOWS and not frame.windows:
            raise SpecError(
                "frame: 0 windows serve no prompt; set windows >= 1, or use policy = "
                "slots"
            )
        self.times, self.frame = times, frame
        self.frame_times: FrameTimes = frame_times(times, frame)
        self._cycle_time = times.cycle_time
        self._freed = [0] * frame.slots
        self._admission = self._after([])
        self._requests = 0
        self._last_ready = 0
        self._pending: dict[int, tuple[Ticket, Work]] = {}

    def admit(
        self,
        arrival_ps: int,
        prompt_tokens: int,
        cached_tokens: int,
        output_tokens: int,
        *,
        restored_tokens: int = 0,
    ) -> Ticket:
        """Return the future of a request; requests are admitted in order of arrival.

        Parameters
        ----------
        arrival_ps
            When the request is at the host.
        prompt_tokens
            Positions of the prompt, one at least.
        cached_tokens
            The first of them whose keys and values a cache holds. The last position of
            a prompt is computed in any case.
        output_tokens
            Tokens of the answer, one at least; the prompt's pass chooses the first.
        restored_tokens
            Cached positions that the hosts hold and send first.

        Raises
        ------
        SpecError
            If a number is out of range, or prompt and answer are longer than the
            frame's context.
        """
        self._check(prompt_tokens, cached_tokens, output_tokens, restored_tokens)
        here_ps = arrival_ps + self.times.host_in_ps(prompt_tokens)
        here_ps += self.times.restore_ps(restored_tokens)
        # A call that takes longer does not make the host send a later one first.
        ready = max(self._last_ready, self._cycle_time.first_cycle(here_ps))
        self._last_ready = ready
        cached = min(cached_tokens, prompt_tokens - 1)
        work = Work(
            ready,
            ceil_div(prompt_tokens - cached, self.frame.chunk_tokens),
            output_tokens - 1,
        )
        (placed,) = self._admission.place([work])
        asked = Ticket(
            request=self._requests,
            slot=placed.slot,
            arrival_ps=arrival_ps,
            admitted_ps=0,
            first_token_ps=0,
            end_ps=0,
            queue_ps=0,
            prompt_tokens=prompt_tokens,
            cached_tokens=cached_tokens,
            output_tokens=output_tokens,
            frame_cycles=self.frame_times.frame_cycles,
            placed=placed,
        )
        ticket = self._dated(asked, placed)
        self._requests += 1
        self._pending[ticket.request] = (ticket, work)
        return ticket

    def token_ps(self, ticket: Ticket, token: int) -> int:
        """Return when a token of a request is at the host.

        Parameters
        ----------
        ticket
            The request.
        token
            Number of the token, the first is 0.
        """
        if not token:
            return ticket.first_token_ps
        start = ticket.placed.turn_cycle + (token - 1) * self.frame_times.frame_cycles
        return self._host_ps(start + self.frame_times.token_cycles)

    def tokens_by(self, ticket: Ticket, now_ps: int) -> int:
        """Return how many tokens of a request are at the host at a time."""
        low, high = 0, ticket.output_tokens
        while low < high:
            middle = (low + high) // 2
            if self.token_ps(ticket, middle) <= now_ps:
                low = middle + 1
            else:
                high = middle
        return low

    def release(self, ticket: Ticket, now_ps: int) -> dict[int, Ticket]:
        """Free the slot of a request whose client has gone, and what it waits for.

        Its turn that has started ends. Requests that have not started yet move up: none
        starts later than it was promised.

        Parameters
        ----------
        ticket
            The request, not released before.
        now_ps
            When its client has gone.

        Returns
        -------
        dict[int, Ticket]
            New futures of the requests that have moved, by their number.
        """
        self.forget(now_ps)
        if ticket.request not in self._pending:
            return {}
        now = self._cycle_time.first_cycle(now_ps)
        gone, asked = self._pending.pop(ticket.request)
        waiting = {
            number: each
            for number, each in self._pending.items()
            if each[0].placed.admitted_cycle >= now
        }
        started = [
            each for number, each in self._pending.items() if number not in waiting
        ]
        if gone.placed.admitted_cycle < now:
            held, took = self._until(gone.placed, asked, now)
            # Later releases must know of it: its last pass may still be under way.
            self._pending[gone.request] = gone._replace(placed=held), took
            started.append(self._pending[gone.request])
        self._admission = self._after(started)
        moved: dict[int, Ticket] = {}
        for number, (before, work) in sorted(waiting.items()):
            held_work = work._replace(ready_cycle=max(work.ready_cycle, now))
            (placed,) = self._admission.place([held_work])
            if placed != before.placed:
                moved[number] = self._dated(before, placed)
                self._pending[number] = (moved[number], work)
        return moved

    def forget(self, now_ps: int) -> None:
        """Drop what is kept of requests whose slot was free before a time."""
        now = self._cycle_time.first_cycle(now_ps)
        for number, (ticket, _) in list(self._pending.items()):
            freed = ticket.placed.free_cycle
            if freed <= now:
                del self._pending[number]
                self._freed[ticket.slot] = max(self._freed[ticket.slot], freed)

    def _until(self, placed: Placed, work: Work, now: int) -> tuple[Placed, Work]:
        """Return a request that has started as it is if its next pass never starts."""
        times = self.frame_times
        begun = ceil_div(now - placed.turn_cycle, times.frame_cycles)
        if work.turns and begun > 0:
            last = placed.turn_cycle + (begun - 1) * times.frame_cycles
            freed = min(placed.free_cycle, last + times.slot_cycles)
            return placed._replace(free_cycle=freed), work
        starts = [self._pass_start(placed, n) for n in range(work.chunks)]
        begun = sum(start < now for start in starts)
        own = self.frame.policy is Policy.SLOTS
        takes = times.slot_cycles if own else times.window_cycles
        freed = min(placed.free_cycle, starts[begun - 1] + takes)
        return placed._replace(free_cycle=freed), work._replace(chunks=begun)

    def _pass_start(self, placed: Placed, chunk: int) -> int:
        """Return when a chunk of a request starts."""
        times = self.frame_times
        if self.frame.policy is Policy.SLOTS:
            return placed.admitted_cycle + chunk * times.frame_cycles
        return times.window_start(times.window_at(placed.admitted_cycle) + chunk)

    def _after(
        self, started: list[tuple[Ticket, Work]]
    ) -> WindowAdmission | SlotAdmission:
        """Return the admission behind requests that have started."""
        free, next_window = list(self._freed), 0
        for ticket, work in started:
            placed = ticket.placed
            free[placed.slot] = max(free[placed.slot], placed.free_cycle)
            if self.frame.policy is Policy.WINDOWS:
                taken = self.frame_times.window_at(placed.admitted_cycle) + work.chunks
                next_window = max(next_window, taken)
        if self.frame.policy is Policy.SLOTS:
            return SlotAdmission(self.frame_times, free)
        return WindowAdmission(self.frame_times, next_window, free)

    def _dated(self, ticket: Ticket, placed: Placed) -> Ticket:
        """Return a request with the times at which it is placed."""
        times, turns = self.frame_times, ticket.output_tokens - 1
        end = placed.chosen_cycle
        if turns:
            last = placed.turn_cycle + (turns - 1) * times.frame_cycles
            end = last + times.token_cycles
        here_ps = ticket.arrival_ps + self.times.host_in_ps(ticket.prompt_tokens)
        admitted_ps = self._cycle_time.ps(placed.admitted_cycle)
        return ticket._replace(
            slot=placed.slot,
            admitted_ps=admitted_ps,
            first_token_ps=self._host_ps(placed.chosen_cycle),
            end_ps=self._host_ps(end),
            queue_ps=max(0, admitted_ps - here_ps),
            placed=placed,
        )

    def _host_ps(self, cycle: int) -> int:
        """Return when a token that is at the first stage at a cycle is at the host."""
        return self._cycle_time.ps(cycle) + self.times.host_out_ps

    def _check(
        self, prompt_tokens: int, cached_tokens: int, output_tokens: int, restored: int
    ) -> None:
        """Refuse a request that cannot be, or that the frame has no room for."""
        if prompt_tokens < 1 or output_tokens < 1:
            raise SpecError(
                f"a request of {prompt_tokens} prompt tokens and {output_tokens} "
                f"output tokens; both must be > 0"
            )
        if not 0 <= restored <= cached_tokens <= prompt_tokens:
            raise SpecError(
                f"a prompt of {prompt_tokens} tokens with {cached_tokens} cached and "
                f"{restored} restored; each must be at most the one before"
            )
        most = self.frame.context_tokens
        if prompt_tokens + output_tokens > most:
            raise SpecError(
                f"prompt {prompt_tokens} and output {output_tokens} tokens exceed the "
                f"frame's context of {most}; shorten one by "
                f"{prompt_tokens + output_tokens - most}"
            )
