"""Served requests: what an engine says of each, in cycles of the chips."""

from typing import NamedTuple, Self

import numpy as np

from specs.arrays import Ints
from specs.short_repr import html_table, short_repr


class Served(NamedTuple):
    """Result of an engine; arrays of shape ``(requests,)``, -1 where it does not apply.

    Attributes
    ----------
    arrival_ps
        When the request was at the host: later than planned if its user waited.
    outcome
        What became of the request, an `Outcome`.
    replica, slot
        Where it was served.
    ready_cycle
        When its prompt, and what was restored of it, was on the chips.
    admitted_cycle
        When its first pass started.
    chosen_cycle, second_cycle, end_cycle
        When its first token, what its first decode turn gave, and its last token were
        at the first stage.
    cached_tokens, restored_tokens
        Positions that needed no pass, and those of them that the hosts restored.
    """

    arrival_ps: Ints
    outcome: Ints
    replica: Ints
    slot: Ints
    ready_cycle: Ints
    admitted_cycle: Ints
    chosen_cycle: Ints
    second_cycle: Ints
    end_cycle: Ints
    cached_tokens: Ints
    restored_tokens: Ints

    def __repr__(self) -> str:
        return short_repr(self)

    def _repr_html_(self) -> str:
        """Return the columns as a table for a notebook."""
        return html_table(self)

    @classmethod
    def empty(cls, arrival_ps: Ints) -> Self:
        """Return a result to fill in."""
        columns = [np.full(len(arrival_ps), -1, dtype=np.int64) for _ in cls._fields]
        return cls(*columns)._replace(arrival_ps=arrival_ps.copy())
