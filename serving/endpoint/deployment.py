"""Deployment: a model on its timetable, with the requests that are in flight on it.

All times are those of :class:`serving.timetable.online.OnlineTimetable`; nothing here
makes a time of its own.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import lcm
from typing import final

from serving.endpoint.metrics import ModelMetrics
from serving.timetable.online import OnlineTimetable
from serving.timetable.ticket import Ticket
from serving.wire.errors import (
    WireError,
    capacity_exceeded,
    context_length_exceeded,
    over_capacity,
)
from serving.wire.model_list import ServedModel
from serving.wire.request_body import RequestBody
from serving.wire.usage import Usage
from specs.units import ceil_div

# Ends of requests after which the timetable forgets what is over.
_FORGET_EVERY = 64


@final
@dataclass(slots=True, eq=False)
class Flight:
    """Request in flight.

    Parameters
    ----------
    ticket
        Its future on the timetable; while it waits it may move up.
    moved
        Set when it has moved.
    """

    ticket: Ticket
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def usage(self) -> Usage:
        """Return the usage of the answer.

        Queue, prompt and completion together are the time from arrival to the last
        token: the call to the chips and back counts to the prompt.
        """
        ticket = self.ticket
        begun_ps = ticket.arrival_ps + ticket.queue_ps
        return Usage(
            prompt_tokens=ticket.prompt_tokens,
            completion_tokens=ticket.output_tokens,
            queue_ps=ticket.queue_ps,
            prompt_ps=ticket.first_token_ps - begun_ps,
            completion_ps=ticket.end_ps - ticket.first_token_ps,
            sram_cached_tokens=ticket.cached_tokens,
        )


@final
class Deployment:
    """Model that is served.

    Parameters
    ----------
    names
        Names that requests may use, the model's own first.
    timetable
        Times of its pipeline.
    most_waiting
        Requests that may wait for a slot.
    """

    def __init__(
        self, names: Sequence[str], timetable: OnlineTimetable, *, most_waiting: int
    ) -> None:
        self.names = tuple(names)
        self.timetable = timetable
        self.metrics = ModelMetrics()
        self._most_waiting = most_waiting
        self._flights: dict[int, Flight] = {}
        self._ends = 0

    @property
    def context_window(self) -> int:
        """Return the most tokens of a prompt and its answer together."""
        return self.timetable.frame.context_tokens

    @property
    def slots(self) -> int:
        """Return the sequences that decode at the same time."""
        return self.timetable.frame.slots

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint of the schedule: the beginning of its certificate."""
        return f"fp_{self.timetable.times.decode_certificates[-1][:10]}"

    def listed(self, created_s: int) -> list[ServedModel]:
        """Return the model under each of its names."""
        return [
            ServedModel(
                name=name,
                owner="groqrack-fabric",
                created_s=created_s,
                context_window=self.context_window,
                max_completion_tokens=self.context_window - 1,
            )
            for name in self.names
        ]

    def answer_tokens(self, body: RequestBody, prompt_tokens: int, default: int) -> int:
        """Return the tokens that a request asks for.

        Raises
        ------
        WireError
            If they are more than the model makes, or do not fit behind the prompt.
        """
        window = self.context_window
        asked = body.answer_tokens(default, window - 1)
        left = window - prompt_tokens
        if body.token_limit is None and left > 0:
            return min(asked, left)
        if asked > left:
            raise context_length_exceeded(prompt_tokens + asked, window)
        return asked

    def counts(self, now_ps: int) -> tuple[int, int]:
        """Return how many requests hold a slot, and how many wait for one."""
        waiting = sum(
            flight.ticket.admitted_ps > now_ps and flight.ticket.queue_ps > 0
            for flight in self._flights.values()
        )
        return min(len(self._flights) - waiting, self.slots), waiting

    def next_frame_ps(self, now_ps: int) -> int:
        """Return the start of the next frame that begins on a whole picosecond."""
        cycle_time = self.timetable.times.cycle_time
        step = lcm(self.timetable.frame_times.frame_cycles, cycle_time.cycles)
        return cycle_time.ps(ceil_div(cycle_time.first_cycle(now_ps), step) * step)

    def enter(
        self, now_ps: int, prompt_tokens: int, answer_tokens: int, tier: str
    ) -> Flight:
        """Return the flight of a request that arrives now.

        Raises
        ------
        WireError
            If the queue is full, or there is one and the tier is ``flex``.
        """
        if len(self._flights) >= self.slots:
            if tier == "flex":
                raise capacity_exceeded()
            if len(self._flights) - self.slots >= self._most_waiting:
                refusal: WireError = over_capacity(
                    self.names[0], len(self._flights) - self.slots
                )
                raise refusal
        flight = Flight(self.timetable.admit(now_ps, prompt_tokens, 0, answer_tokens))
        self._flights[flight.ticket.request] = flight
        return flight

    def leave(self, flight: Flight, now_ps: int) -> None:
        """End a flight: at its end, or before it, when its slot is freed for others."""
        del self._flights[flight.ticket.request]
        if now_ps < flight.ticket.end_ps:
            moved = self.timetable.release(flight.ticket, now_ps)
            for request, ticket in moved.items():
                if request in self._flights:
                    self._flights[request].ticket = ticket
                    self._flights[request].moved.set()
        self._ends += 1
        if self._ends % _FORGET_EVERY == 0:
            self.timetable.forget(now_ps)
