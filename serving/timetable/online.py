"""Online timetable: a request's whole future, known when it arrives."""

from typing import final

from serving.frame import Frame, FrameTimes, Policy, frame_times
from serving.service_times import ServiceTimes
from serving.timetable.admission import Placed, SlotAdmission, WindowAdmission, Work
from serving.timetable.promise import Promise, cut_short, promised
from serving.timetable.ticket import Ticket
from specs.errors import SpecError
from specs.units import ceil_div

_NEVER = 2**62


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
        self._own_slot = frame.policy is Policy.SLOTS
        self._cycle_time = times.cycle_time
        # When slots were freed in the frames that run now, and the end of what is past.
        self._freed = [0] * frame.slots
        self._drained = 0
        self._admission = self._after([], 0, idle_cycle=0)
        self._requests = 0
        self._last_ready = 0
        self._pending: dict[int, Promise] = {}

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
        origin = self._admission.origin_cycle
        (placed,) = self._admission.place([work])
        if self._admission.origin_cycle != origin:
            self._freed = [0] * self.frame.slots
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
            origin_cycle=self._admission.origin_cycle,
        )
        ticket = self._dated(asked, placed)
        self._requests += 1
        self._pending[ticket.request] = promised(self.frame_times, ticket, work)
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
        gone = self._pending.pop(ticket.request)
        waiting = {
            number: each
            for number, each in self._pending.items()
            if each.ticket.placed.admitted_cycle >= now
        }
        if gone.ticket.placed.admitted_cycle < now:
            # Later releases must know of it: its last pass may still be under way.
            self._pending[ticket.request] = cut_short(
                self.frame_times, gone, now, own_slot=self._own_slot
            )
        started = [
            each for number, each in self._pending.items() if number not in waiting
        ]
        moved: dict[int, Ticket] = {}
        origins = {each.ticket.origin_cycle for each in waiting.values()}
        # Frames that have been promised run on, even if they turn out to be idle.
        for origin in sorted({self._admission.origin_cycle, *origins}):
            self._admission = self._after(started, origin)
            for number, (before, work, _) in sorted(waiting.items()):
                if before.origin_cycle != origin:
                    continue
                held_work = work._replace(ready_cycle=max(work.ready_cycle, now))
                (placed,) = self._admission.place([held_work])
                if placed != before.placed:
                    moved[number] = self._dated(before, placed)
                    self._pending[number] = promised(
                        self.frame_times, moved[number], work
                    )
        ends = (each.drained_cycle for each in self._pending.values())
        self._admission.idle_cycle = max([self._drained, *ends])
        return moved

    def forget(self, now_ps: int) -> None:
        """Drop what is kept of requests whose slot was free before a time."""
        now = self._cycle_time.first_cycle(now_ps)
        for number, (ticket, _, drained) in list(self._pending.items()):
            freed = ticket.placed.free_cycle
            if freed <= now:
                del self._pending[number]
                self._drained = max(self._drained, drained)
                if ticket.origin_cycle == self._admission.origin_cycle:
                    self._freed[ticket.slot] = max(self._freed[ticket.slot], freed)

    def _after(
        self, started: list[Promise], origin: int, idle_cycle: int = _NEVER
    ) -> WindowAdmission | SlotAdmission:
        """Return the admission of frames behind requests that have started in them."""
        free, next_window = list(self._freed), 0
        for ticket, work, _ in started:
            if ticket.origin_cycle != origin:
                continue
            placed = ticket.placed
            free[placed.slot] = max(free[placed.slot], placed.free_cycle)
            if not self._own_slot:
                first = self.frame_times.window_at(placed.admitted_cycle - origin)
                next_window = max(next_window, first + work.chunks)
        when = {"origin_cycle": origin, "idle_cycle": idle_cycle}
        if self._own_slot:
            return SlotAdmission(self.frame_times, free, **when)
        return WindowAdmission(self.frame_times, next_window, free, **when)

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
