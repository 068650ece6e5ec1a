"""Timeline: compute and transport entries of one token with their start cycles.

The chips of a tensor group work in lockstep, and a token is in one stage at a time. So
the entries form one critical path: each starts where the one before has ended. But a
product may run beside the phases of an exchange, and start while another one drains.
"""

from dataclasses import dataclass
from typing import NamedTuple, final

from chip.operator_work import Work
from compiler.ir.entry_dataflow import EntryDataflow
from compiler.ir.messages import MessageTable
from compiler.ir.transfers import CycleBreakdown, Transport
from sharding.operators.operators import Unit
from specs.arrays import Ints
from specs.short_repr import short_repr


class ComputeEntry(NamedTuple):
    """Computation of a group: chip, work and cycles of each member with a part.

    `alone` is the product without the weights that load ahead, None if none do.
    """

    start_cycle: int
    operator: int
    name: str
    unit: Unit
    chips: Ints
    works: tuple[Work, ...]
    cycles: Ints
    dataflow: EntryDataflow | None = None
    alone: "ComputeEntry | None" = None


class LoadEntry(NamedTuple):
    """Weight prefetch of a group, ahead of the operator numbered `operator`."""

    start_cycle: int
    operator: int
    chips: Ints
    works: tuple[Work, ...]
    cycles: Ints


class TransportEntry(NamedTuple):
    """Transfer of a phase: messages that start together."""

    start_cycle: int
    operator: int
    name: str
    transport: Transport
    messages: MessageTable | None = None
    dataflow: EntryDataflow | None = None


TimelineEntry = ComputeEntry | TransportEntry


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Timeline:
    """Timeline of one token.

    Parameters
    ----------
    entries
        Compute and transport entries in order; gaps between them belong to deskews.
    loads
        Weight prefetches that overlap them.
    spent
        Cycle breakdown of the token.
    stage_cycles
        Cycles of each stage, from the start of its first entry to the end of its last.
    stage_hops
        Hops on the critical path within each stage and out of it.
    trains
        Trains in all entries.
    hidden_cycles
        Cycles of exchanges in which the chips compute too, counted as computation.
    """

    entries: tuple[TimelineEntry, ...]
    loads: tuple[LoadEntry, ...]
    spent: CycleBreakdown
    stage_cycles: tuple[int, ...]
    stage_hops: tuple[int, ...]
    trains: int
    hidden_cycles: int = 0

    __repr__ = short_repr

    @property
    def token_cycles(self) -> int:
        """Return the cycles from the token's start to its end."""
        return self.spent.total
