"""Ticket: a request that has been admitted, with its whole future."""

from typing import NamedTuple

from serving.timetable.admission import Placed


class Ticket(NamedTuple):
    """The future of a request that has been admitted.

    Attributes
    ----------
    request
        Number of the request, in order of arrival.
    slot
        Its decode slot.
    arrival_ps, admitted_ps, first_token_ps, end_ps
        When it arrives at the host, its first pass starts, and its first and last
        tokens are back at the host.
    queue_ps
        What it waits, once it is on the chips, until its first pass starts.
    prompt_tokens, cached_tokens, output_tokens
        Positions of its prompt, those of them that a cache holds, and its tokens.
    frame_cycles
        Time per token: from a token to the next, but for the first.
    placed
        Where it is on the timetable, in cycles.
    origin_cycle
        When the first of the frames began in which it is.
    """

    request: int
    slot: int
    arrival_ps: int
    admitted_ps: int
    first_token_ps: int
    end_ps: int
    queue_ps: int
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    frame_cycles: int
    placed: Placed
    origin_cycle: int
