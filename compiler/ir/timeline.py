"""Timeline of a token: a chain of compute and transport entries with start cycles.

The chips of a tensor group move in step, and one token is in one stage at a time, so a
token is a chain: each entry starts where the one before has ended.
"""

from dataclasses import dataclass
from typing import NamedTuple, final

from chip.operator_work import Work
from compiler.ir.transfers import CycleBreakdown, Transport
from sharding.operators.operators import Unit
from specs.arrays import Ints


class ComputeEntry(NamedTuple):
    """A group computes: chip, work and cycles of each member that has a part."""

    start_cycle: int
    operator: int
    name: str
    unit: Unit
    chips: Ints
    works: tuple[Work, ...]
    cycles: Ints


class LoadEntry(NamedTuple):
    """A group loads weights ahead of an operator that has the number `operator`."""

    start_cycle: int
    operator: int
    chips: Ints
    works: tuple[Work, ...]
    cycles: Ints


class TransportEntry(NamedTuple):
    """A phase of messages is on its way."""

    start_cycle: int
    operator: int
    name: str
    transport: Transport


TimelineEntry = ComputeEntry | TransportEntry


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Timeline:
    """One token as a chain.

    Parameters
    ----------
    entries
        What is done, in order; gaps between entries belong to deskews.
    loads
        Weights that are loaded meanwhile, ahead of their products.
    spent
        Where the token's cycles went.
    stage_cycles
        Cycles between the first and the last thing each stage does.
    stage_hops
        Hops in a row that the chain makes within each stage and out of it.
    trains
        Trains in all entries.
    """

    entries: tuple[TimelineEntry, ...]
    loads: tuple[LoadEntry, ...]
    spent: CycleBreakdown
    stage_cycles: tuple[int, ...]
    stage_hops: tuple[int, ...]
    trains: int

    @property
    def token_cycles(self) -> int:
        """Return the cycles from the token's start to its end."""
        return self.spent.total
