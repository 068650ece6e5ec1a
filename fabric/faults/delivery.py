"""Delivery of tokens: the iterations of a segment, their faults and what remains."""

from dataclasses import dataclass
from typing import NamedTuple, final

from fabric.faults.spares import Moved


class Attempt(NamedTuple):
    """Attempt at a token: one iteration, with its faults.

    Attributes
    ----------
    token, attempt
        Number of the token in its sequence, and of earlier attempts.
    damaged
        Trains with an uncorrectable codeword.
    lost
        Number of trains that never arrived.
    halted
        Chips that stopped before they had ended the iteration.
    """

    token: int
    attempt: int
    damaged: tuple[int, ...] = ()
    lost: int = 0
    halted: tuple[int, ...] = ()

    @property
    def clean(self) -> bool:
        """Return whether every train arrived without an uncorrectable error."""
        return not (self.damaged or self.lost or self.halted)


class SequenceState(NamedTuple):
    """State of a sequence: its next token, and the failed attempts at it.

    Attributes
    ----------
    token, attempt
        Next token, and number of attempts at it.
    suspects
        Directed links, and chips as ``-1 - chip``, that failed in these attempts.
    given_up
        Reason why no more tokens are computed; empty as long as they are.
    """

    token: int = 0
    attempt: int = 0
    suspects: frozenset[int] = frozenset()
    given_up: str = ""


class Failure(NamedTuple):
    """Failure that ends a segment: a link or chip that failed for the second time.

    Attributes
    ----------
    sequence, iteration, token
        Attempt that detected it; the iteration counts from the segment's start.
    link, chip
        The directed link, or -1; the chip that sends on it, or that stopped.
    node
        The chip's node, which is marked bad.
    end_cycle
        Program cycle at which it was detected; the moved program avoids all outages up
        to then.
    moved
        The program without the node.
    """

    sequence: int
    iteration: int
    token: int
    link: int
    chip: int
    node: int
    end_cycle: int
    moved: Moved


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Iterations of each sequence in a segment, in order.

    Parameters
    ----------
    attempts
        Iterations of each sequence.
    failure
        Failure that ended the segment, if any.
    waiting
        State of each sequence after the segment.
    """

    attempts: tuple[tuple[Attempt, ...], ...]
    failure: Failure | None
    waiting: tuple[SequenceState, ...]

    @property
    def iterations(self) -> tuple[int, ...]:
        """Return the number of iterations of each sequence."""
        return tuple(len(each) for each in self.attempts)
