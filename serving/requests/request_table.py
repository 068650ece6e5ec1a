"""Request table: what users ask for, as columns in order of arrival."""

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from specs.arrays import Ints
from specs.errors import SpecError


class Tier(IntEnum):
    """Service tier of a request."""

    ON_DEMAND = 0
    FLEX = 1
    PERFORMANCE = 2
    BATCH = 3


class Outcome(IntEnum):
    """What became of a request."""

    COMPLETED = 0
    RATE_LIMITED = 1
    NO_CAPACITY = 2
    TOO_LONG = 3
    FAILED = 4


class RequestTable(NamedTuple):
    """Requests in order of arrival; arrays of shape ``(requests,)``.

    Attributes
    ----------
    arrival_ps
        When each is at the host.
    prompt_tokens, output_tokens
        Positions of the prompt, and tokens of the answer; one at least of each.
    turns
        Decode turns after the prompt: a token each, or several with drafted tokens.
    kind, tenant, tier
        Numbers of its class and of its organisation, and its `Tier`.
    blocks
        Whole blocks of each prompt that a cache may share, by identity; empty for none.
    """

    arrival_ps: Ints
    prompt_tokens: Ints
    output_tokens: Ints
    turns: Ints
    kind: Ints
    tenant: Ints
    tier: Ints
    blocks: tuple[tuple[int, ...], ...] = ()

    @property
    def size(self) -> int:
        """Return the number of requests."""
        return len(self.arrival_ps)


def request_table(
    arrival_ps: Ints,
    prompt_tokens: Ints,
    output_tokens: Ints,
    *,
    turns: Ints | None = None,
    kind: Ints | None = None,
    tenant: Ints | None = None,
    tier: Ints | None = None,
    blocks: tuple[tuple[int, ...], ...] = (),
) -> RequestTable:
    """Return requests as a table; what is left out is 0, and turns one for each token.

    Raises
    ------
    SpecError
        If arrivals do not ascend, or a length is below one.
    """
    late = np.flatnonzero(np.diff(arrival_ps) < 0)
    if len(late):
        raise SpecError(
            f"request {int(late[0]) + 1} arrives before the one ahead of it; sort "
            f"requests by arrival"
        )
    short = np.flatnonzero((prompt_tokens < 1) | (output_tokens < 1))
    if len(short):
        at = int(short[0])
        raise SpecError(
            f"request {at} has {int(prompt_tokens[at])} prompt and "
            f"{int(output_tokens[at])} output tokens; both must be > 0"
        )
    zero = np.zeros(len(arrival_ps), dtype=np.int64)
    return RequestTable(
        arrival_ps=arrival_ps,
        prompt_tokens=prompt_tokens,
        output_tokens=output_tokens,
        turns=output_tokens - 1 if turns is None else turns,
        kind=zero if kind is None else kind,
        tenant=zero if tenant is None else tenant,
        tier=zero if tier is None else tier,
        blocks=blocks,
    )
