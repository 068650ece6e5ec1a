"""Transfers of a phase: trains on links, their cycles and where the cycles went."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, final

import numpy as np

from compiler.ir.messages import MessageTable
from specs.arrays import Ints


class CycleBreakdown(NamedTuple):
    """Where the cycles of a span went; the sum is its length."""

    compute: int = 0
    link: int = 0
    guard: int = 0
    alignment: int = 0
    deskew: int = 0
    fec: int = 0
    wait: int = 0

    def plus(self, other: "CycleBreakdown") -> "CycleBreakdown":
        """Return both spans together."""
        return CycleBreakdown(*(a + b for a, b in zip(self, other, strict=True)))

    @property
    def total(self) -> int:
        """Return the length of the span."""
        return sum(self)


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Transport:
    """The trains of a phase; cycles count from the phase's start.

    Parameters
    ----------
    link, vectors, wire_cycle, receive_cycle, previous
        Columns of `chip.program.Trains`, shape ``(trains,)``; `previous` is the row of
        the hop before, or -1.
    serialisation_cycles
        How long each train keeps its wire.
    spent
        The way of the message that is there last.
    hops
        Most hops of a message.
    """

    link: Ints
    vectors: Ints
    wire_cycle: Ints
    receive_cycle: Ints
    previous: Ints
    serialisation_cycles: Ints
    spent: CycleBreakdown
    hops: int

    @property
    def duration_cycles(self) -> int:
        """Return when the last vector of the last message is in SRAM."""
        return self.spent.total


def trainless(cycles: int) -> Transport:
    """Return a transport without trains that lasts so many cycles, for bounds."""
    none = np.zeros(0, dtype=np.int64)
    return Transport(
        link=none,
        vectors=none,
        wire_cycle=none,
        receive_cycle=none,
        previous=none,
        serialisation_cycles=none,
        spent=CycleBreakdown(link=cycles),
        hops=0,
    )


class TransferModel(Protocol):
    """What says how long messages are on their way, exactly or at least."""

    def transport(self, messages: MessageTable) -> Transport:
        """Return how `messages` travel, all of them ready at cycle 0."""
