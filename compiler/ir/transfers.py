"""Transfer of a phase: its trains, their cycles and the cycle breakdown."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, final

import numpy as np

from compiler.ir.messages import MessageTable
from specs.arrays import Ints


class CycleBreakdown(NamedTuple):
    """Cycle breakdown of a span by cause; the sum is its length."""

    compute: int = 0
    link: int = 0
    guard: int = 0
    alignment: int = 0
    deskew: int = 0
    fec: int = 0
    wait: int = 0

    def plus(self, other: "CycleBreakdown") -> "CycleBreakdown":
        """Return the breakdown of both spans together."""
        return CycleBreakdown(*(a + b for a, b in zip(self, other, strict=True)))

    def minus(self, other: "CycleBreakdown") -> "CycleBreakdown":
        """Return the breakdown of what follows a span that this one begins with."""
        return CycleBreakdown(*(a - b for a, b in zip(self, other, strict=True)))

    def without(self, hidden: int) -> "CycleBreakdown":
        """Return the breakdown of a transfer less cycles hidden by computation.

        Those in flight are hidden first.
        """
        left = self._asdict()
        for cause in ("link", "guard", "fec", "alignment", "wait", "compute", "deskew"):
            taken = min(hidden, left[cause])
            left[cause] -= taken
            hidden -= taken
        return CycleBreakdown(**left)

    @property
    def total(self) -> int:
        """Return the length of the span in cycles."""
        return sum(self)


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Transport:
    """Trains of a phase; cycles count from the start of the phase.

    Parameters
    ----------
    link, vectors, wire_cycle, receive_cycle, previous
        Columns of `chip.program.Trains`, shape ``(trains,)``; `previous` is the row of
        the hop before, or -1.
    message
        Row of the message that each train carries a share of, shape ``(trains,)``.
    serialisation_cycles
        Time for which each train occupies its wire, shape ``(trains,)``.
    spent
        Cycle breakdown of the message that arrives last.
    hops
        Most hops of a message.
    """

    link: Ints
    vectors: Ints
    wire_cycle: Ints
    receive_cycle: Ints
    previous: Ints
    message: Ints
    serialisation_cycles: Ints
    spent: CycleBreakdown
    hops: int

    @property
    def duration_cycles(self) -> int:
        """Return the cycle at which the last vector of all is in SRAM."""
        return self.spent.total


def trainless(cycles: int) -> Transport:
    """Return the intermediate representation of a transport without trains.

    It takes `cycles`, and stands for messages in lower bounds.
    """
    none = np.zeros(0, dtype=np.int64)
    return Transport(
        link=none,
        vectors=none,
        wire_cycle=none,
        receive_cycle=none,
        previous=none,
        message=none,
        serialisation_cycles=none,
        spent=CycleBreakdown(link=cycles),
        hops=0,
    )


class TransferModel(Protocol):
    """Transfer model: the timing of messages, exact or as a lower bound."""

    def transport(self, messages: MessageTable) -> Transport:
        """Return the transport of `messages`, all of them ready at cycle 0."""
