"""Completion: one request from its checked body to the last byte of its answer."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, final

from serving.endpoint.clock import Clock
from serving.endpoint.deployment import Deployment, Flight
from serving.endpoint.request_log import log_event
from serving.wire.answers import Identity, chat_answer, text_answer
from serving.wire.frames import DONE, Frames
from serving.wire.reply_text import Reply
from serving.wire.usage import Usage

_PS_PER_MS = 10**9
_PS_PER_S = 10**12


@final
@dataclass(slots=True, eq=False, kw_only=True)
class Completion:
    """Request that has been admitted.

    Parameters
    ----------
    clock
        Clock of the endpoint.
    deployment, flight
        Where it runs, and its future there.
    identity, reply, tier
        What all parts of the answer have in common, its text, and its service tier.
    asked_tokens
        Tokens that the request asks for, more than the reply has if a stop ends it.
    chat, usage_frame, usage_so_far
        Whether it is a chat, and whether a stream ends with the usage alone and has it
        in each frame of a token.
    cut_after
        Tokens after which the answer is cut, if it is on purpose.
    stopped
        Set when the endpoint shuts down and cannot wait any longer.
    ended
        Set when the answer is over, however it ended.
    """

    clock: Clock
    deployment: Deployment
    flight: Flight
    identity: Identity
    reply: Reply
    asked_tokens: int
    tier: str
    chat: bool
    usage_frame: bool
    usage_so_far: bool = False
    cut_after: int | None = None
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def admitted(self) -> None:
        """Wait until the request has its slot; it may move up while it waits."""
        while self.clock.now_ps() < self.flight.ticket.admitted_ps:
            self.flight.moved.clear()
            await self.clock.wait_until_or(
                self.flight.ticket.admitted_ps, self.flight.moved
            )

    async def whole(self) -> dict[str, Any]:
        """Return the body of the answer when its last token is there."""
        await self.admitted()
        await self.clock.wait_until(self.flight.ticket.end_ps)
        answer = chat_answer if self.chat else text_answer
        return answer(
            self.identity,
            self.reply.text,
            self.reply.finish_reason,
            self.flight.usage(),
            self.tier,
        )

    async def frames(self) -> AsyncIterator[bytes]:
        """Yield the frames of the stream as their tokens become due.

        Tokens that are late because the computer is are yielded together.
        """
        frames = Frames(self.identity, chat=self.chat)
        await self.admitted()
        opening = frames.opening()
        if opening:
            yield opening
        ticket, timetable = self.flight.ticket, self.deployment.timetable
        pieces = self.reply.pieces
        if self.cut_after is not None:
            pieces = pieces[: self.cut_after]
        sent = 0
        while sent < len(pieces):
            await self.clock.wait_until(timetable.token_ps(ticket, sent))
            due = timetable.tokens_by(ticket, self.clock.now_ps())
            until = max(sent + 1, min(due, len(pieces)))
            if self.usage_so_far:
                yield b"".join(
                    frames.counted_token(piece, ticket.prompt_tokens, made)
                    for made, piece in enumerate(pieces[sent:until], start=sent + 1)
                )
            else:
                yield b"".join(map(frames.token, pieces[sent:until]))
            sent = until
        if self.cut_after is not None:
            return
        await self.clock.wait_until(ticket.end_ps)
        usage = self.flight.usage()
        ending = frames.closing(self.reply.finish_reason, usage)
        if self.usage_frame:
            ending += frames.usage(usage, self.tier)
        yield ending + DONE

    def end(self, outcome: str, *, stream: bool) -> int:
        """End the flight, count it, log it; return the tokens that were made.

        Parameters
        ----------
        outcome
            ``completed``, or why not.
        stream
            Whether the answer was streamed.
        """
        now_ps, ticket = self.clock.now_ps(), self.flight.ticket
        completed = outcome == "completed"
        made = ticket.output_tokens
        if not completed:
            made = self.deployment.timetable.tokens_by(ticket, now_ps)
        self.deployment.leave(self.flight, now_ps)
        usage = self.flight.usage()
        self._count(usage, made, completed=completed)
        log_event(
            "request",
            request_id=self.identity.request_id,
            model=self.identity.model,
            outcome=outcome,
            stream=stream,
            tier=self.tier,
            slot=ticket.slot,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=made,
            arrival_ms=ticket.arrival_ps / _PS_PER_MS,
            queue_ms=usage.queue_ps / _PS_PER_MS,
            ttft_ms=(usage.queue_ps + usage.prompt_ps) / _PS_PER_MS,
            e2el_ms=(ticket.end_ps - ticket.arrival_ps) / _PS_PER_MS,
            late_ms=max(now_ps - ticket.end_ps, 0) / _PS_PER_MS if completed else None,
        )
        self.ended.set()
        return made

    def _count(self, usage: Usage, made: int, *, completed: bool) -> None:
        """Count the request in the metrics of its model."""
        metrics = self.deployment.metrics
        metrics.prompt_tokens += usage.prompt_tokens if made else 0
        metrics.generation_tokens += made
        reason = self.reply.finish_reason if completed else "abort"
        metrics.finished[reason] += 1
        if not completed:
            return
        metrics.queue.observe(usage.queue_ps / _PS_PER_S)
        metrics.first_token.observe((usage.queue_ps + usage.prompt_ps) / _PS_PER_S)
        total_ps = usage.queue_ps + usage.prompt_ps + usage.completion_ps
        metrics.request.observe(total_ps / _PS_PER_S)
        steps = usage.completion_tokens - 1
        if steps:
            # From the second token on the time between tokens is the frame; the first
            # step also has the way from the prompt's window to the slot.
            second_ps = self.deployment.timetable.token_ps(self.flight.ticket, 1)
            first_step_ps = second_ps - self.flight.ticket.first_token_ps
            metrics.token.observe(first_step_ps / _PS_PER_S)
            if steps > 1:
                rest_ps = self.flight.ticket.end_ps - second_ps
                metrics.token.observe(rest_ps / (steps - 1) / _PS_PER_S, steps - 1)


def created_now() -> int:
    """Return the time of an answer in seconds of the Unix epoch."""
    return int(time.time())
