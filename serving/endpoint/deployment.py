"""Deployment: a model on its timetable, with the requests that are in flight on it.

All times are those of :class:`serving.timetable.online.OnlineTimetable`; nothing here
makes a time of its own.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, final

from serving.endpoint.metrics import ModelMetrics
from serving.fleet.fleet import CacheSizes
from serving.fleet.prefix_cache import Cached, PrefixCache
from serving.timetable.online import OnlineTimetable
from serving.timetable.ticket import Ticket
from serving.wire.errors import (
    WireError,
    capacity_exceeded,
    context_length_exceeded,
    over_capacity,
)
from serving.wire.model_list import ServedModel
from serving.wire.prompt_blocks import prompt_blocks
from serving.wire.request_body import RequestBody
from serving.wire.usage import Usage
from specs.units import ceil_div

# Ends of requests after which the timetable forgets what is over.
_FORGET_EVERY = 64


class Prefix(NamedTuple):
    """What a cache holds of a prompt.

    Attributes
    ----------
    number
        Number of the look-up.
    blocks
        Whole blocks of the prompt, by identity.
    cached
        Positions that are held.
    """

    number: int
    blocks: Sequence[int]
    cached: Cached


NO_PREFIX = Prefix(0, (), Cached(0, 0))


@final
@dataclass(slots=True, eq=False)
class Flight:
    """Request in flight.

    Parameters
    ----------
    ticket
        Its future on the timetable; while it waits it may move up.
    prefix
        What the cache held of its prompt.
    moved
        Set when it has moved.
    """

    ticket: Ticket
    prefix: Prefix = NO_PREFIX
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
            sram_cached_tokens=ticket.cached_tokens
            - self.prefix.cached.restored_tokens,
            dram_cached_tokens=self.prefix.cached.restored_tokens,
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
    cache
        Sizes of its prefix cache, if it has one.
    """

    def __init__(
        self,
        names: Sequence[str],
        timetable: OnlineTimetable,
        *,
        most_waiting: int,
        cache: CacheSizes | None = None,
    ) -> None:
        self.names = tuple(names)
        self.timetable = timetable
        self.metrics = ModelMetrics()
        self._most_waiting = most_waiting
        self._flights: dict[int, Flight] = {}
        self._ends = 0
        self._cache = PrefixCache(cache) if cache else None
        self._block_tokens = cache.block_tokens if cache else 0
        self._look_ups = 0

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

    def next_cycle_ps(self, now_ps: int) -> int:
        """Return the start of the next cycle that begins on a whole picosecond."""
        step_ps = self.timetable.times.cycle_time.picoseconds
        return ceil_div(now_ps, step_ps) * step_ps

    def look_up(self, body: RequestBody, now_ps: int) -> Prefix:
        """Return what the cache holds of a request's prompt now.

        The last position of a prompt is computed in any case.
        """
        if self._cache is None:
            return NO_PREFIX
        self._look_ups += 1
        pieces = body.prompt_pieces()
        blocks = prompt_blocks(pieces, self._block_tokens)
        cycle = self.timetable.times.cycle_time.first_cycle(now_ps)
        found = self._cache.look_up(self._look_ups, blocks, cycle)
        tokens = min(found.tokens, len(pieces) - 1)
        cached = Cached(tokens, min(found.restored_tokens, tokens))
        return Prefix(self._look_ups, blocks, cached)

    def withdraw(self, prefix: Prefix) -> None:
        """Forget what a prompt was to bring to the cache: it is not computed."""
        if self._cache is not None:
            self._cache.withdraw(prefix.number, prefix.blocks)

    def _computed(self, flight: Flight) -> None:
        """Tell the cache when the prompt of a flight has been computed."""
        if self._cache is not None:
            number, blocks, _ = flight.prefix
            self._cache.computed(number, blocks, flight.ticket.placed.chosen_cycle)

    def enter(
        self,
        now_ps: int,
        prompt_tokens: int,
        answer_tokens: int,
        tier: str,
        prefix: Prefix = NO_PREFIX,
    ) -> Flight:
        """Return the flight of a request that arrives now.

        Parameters
        ----------
        now_ps
            The time.
        prompt_tokens, answer_tokens
            Tokens of the prompt, and those to make.
        tier
            Service tier.
        prefix
            What the cache holds of the prompt.

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
        ticket = self.timetable.admit(
            now_ps,
            prompt_tokens,
            prefix.cached.tokens,
            answer_tokens,
            restored_tokens=prefix.cached.restored_tokens,
        )
        flight = Flight(ticket, prefix)
        self._flights[ticket.request] = flight
        self._computed(flight)
        return flight

    def leave(self, flight: Flight, now_ps: int) -> None:
        """End a flight: at its end, or before it, when its slot is freed for others."""
        del self._flights[flight.ticket.request]
        if now_ps < flight.ticket.first_token_ps:
            self.withdraw(flight.prefix)
        if now_ps < flight.ticket.end_ps:
            moved = self.timetable.release(flight.ticket, now_ps)
            for request, ticket in moved.items():
                if request in self._flights:
                    self._flights[request].ticket = ticket
                    self._flights[request].moved.set()
                    self._computed(self._flights[request])
        self._ends += 1
        if self._ends % _FORGET_EVERY == 0:
            self.timetable.forget(now_ps)
