"""A strategy in the queue of a search, and what is to be done with it next."""

from enum import IntEnum
from typing import NamedTuple

from compiler.found import Cost
from sharding.strategy import Strategy


class Step(IntEnum):
    """What is to be done next with a strategy."""

    PLACE = 0
    PLACE_TEAMS = 1
    PLAN = 2
    TIME = 3
    COMPILE = 4


class Entry(NamedTuple):
    """A strategy in the queue, with what is known of it.

    Attributes
    ----------
    crosses
        Whether its sequences may meet on links, so that it is looked at last.
    expected
        What its cost may be taken for until it is known; at least the bound.
    cost
        Bound of its cost.
    step, sequences
        What to do next, and with how many sequences in flight.
    """

    crosses: bool
    expected: float
    cost: Cost
    step: Step
    sequences: int

    @property
    def strategy(self) -> Strategy:
        """Return the split."""
        return self.cost.strategy
