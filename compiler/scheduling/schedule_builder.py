"""Schedule builder: appends operators, phases and deskews, each after the last."""

from collections.abc import Callable
from itertools import compress
from typing import final

from chip.operator_work import Work
from compiler.ir.entry_dataflow import EntryDataflow
from compiler.ir.messages import MessageTable
from compiler.ir.timeline import ComputeEntry, LoadEntry, TimelineEntry, TransportEntry
from compiler.ir.transfers import CycleBreakdown, TransferModel, Transport
from compiler.routing.modulo_reservation_table import ModuloReservationTable
from compiler.scheduling.weight_prefetch import WeightLoad, WeightPrefetcher
from sharding.operators.operators import Compute, Unit
from specs.arrays import Ints
from specs.chip import ChipSpec
from specs.errors import ScheduleError


@final
class ScheduleBuilder:
    """Builder of a timeline: each thing that is appended starts where the last ends.

    Parameters
    ----------
    transfers
        What schedules messages.
    chip
        The processor.
    stall_cycles
        Length of a RUNTIME_DESKEW.
    interval_cycles
        Longest time between a deskew and a vector that relies on it, 0 for no deskews.
    check
        Called with the trains so far; refuses too many.
    reservations
        Links that other tokens and stages use, which a phase waits for; None if there
        are no others.

    Attributes
    ----------
    prefetch
        Cycles in which weights may be loaded.
    entries, loads
        Entries of the timeline so far, and weights loaded beside them.
    spent
        Where the cycles so far went.
    operators, hops, trains
        Entries, hops in a row, and trains so far.
    deskewed_cycle
        When the chips at work began their last deskew.
    """

    def __init__(
        self,
        transfers: TransferModel,
        *,
        chip: ChipSpec,
        stall_cycles: int,
        interval_cycles: int,
        check: Callable[[int], None],
        reservations: ModuloReservationTable | None = None,
    ) -> None:
        self._transfers = transfers
        self._reservations = reservations
        self._stall_cycles = stall_cycles
        self._check = check
        self.prefetch = WeightPrefetcher(chip)
        self.entries: list[TimelineEntry] = []
        self.loads: list[LoadEntry] = []
        self.spent = CycleBreakdown()
        self.operators = 0
        self.hops = 0
        self.trains = 0
        self.deskewed_cycle = 0
        self._interval_cycles = interval_cycles

    @property
    def now(self) -> int:
        """Return the cycle at which the timeline ends so far."""
        return self.spent.total

    def compute(
        self, operator: Compute, chips: Ints, dataflow: EntryDataflow | None = None
    ) -> None:
        """Append an operator; members of the group without a part in it wait."""
        works, cycles = operator.works, operator.cycles
        longest = int(cycles.max())
        if longest == 0:
            return
        begin = self.now
        loads: tuple[WeightLoad, ...] = ()
        if operator.unit is Unit.MATMUL:
            works, cycles, loads = self.prefetch.product(operator, begin)
            longest = int(cycles.max())
            for load in loads:
                self._load(begin, load, chips)
        entry = self._entry(operator, *_participants(chips, works, cycles), dataflow)
        if loads:
            parts = _participants(chips, operator.works, operator.cycles)
            entry = entry._replace(alone=self._entry(operator, *parts, dataflow))
        self.entries.append(entry)
        self.operators += 1
        self.spent = self.spent.plus(CycleBreakdown(compute=longest))
        self.prefetch.after(operator.unit, begin, self.now)

    def _entry(
        self,
        operator: Compute,
        chips: Ints,
        works: tuple[Work, ...],
        cycles: Ints,
        dataflow: EntryDataflow | None,
    ) -> ComputeEntry:
        """Return the entry of an operator that starts now."""
        return ComputeEntry(
            self.now,
            self.operators,
            operator.name,
            operator.unit,
            chips,
            works,
            cycles,
            dataflow,
        )

    def _load(self, begin: int, load: WeightLoad, chips: Ints) -> None:
        """Append a weight load ahead of an operator that starts at `begin`."""
        chips, works, cycles = _participants(chips, load.works, load.cycles)
        start = begin - load.lead_cycles
        self.loads.append(LoadEntry(start, self.operators, chips, works, cycles))

    def deskew(self) -> None:
        """Append the stall of a RUNTIME_DESKEW, unless chips never deskew."""
        if not self._interval_cycles:
            return
        self.deskewed_cycle = self.now
        self.spent = self.spent.plus(CycleBreakdown(deskew=self._stall_cycles))

    def send(
        self, name: str, messages: MessageTable, dataflow: EntryDataflow | None = None
    ) -> None:
        """Append a phase of messages, after a deskew if the last one is too long ago.

        Raises
        ------
        ScheduleError
            If the phase with its wait takes longer than the deskew interval leaves.
        """
        if not len(messages):
            return
        transport = self._transfers.transport(messages)
        needed = transport.duration_cycles
        begin = self.now
        waited = self._wait_cycles(transport)
        if self._interval_cycles:
            since = begin + waited - self.deskewed_cycle
            if since + needed > self._interval_cycles:
                self.deskew()
                begin = self.now
                waited = self._wait_cycles(transport)
            if self._stall_cycles + waited + needed > self._interval_cycles:
                raise ScheduleError(
                    f"{name} takes {waited + needed} cycles, more than the "
                    f"{self._interval_cycles} of the deskew interval leave beside the "
                    f"deskew itself; use a longer deskew.interval_epochs, or 'auto'"
                )
        self.spent = self.spent.plus(CycleBreakdown(wait=waited))
        entry = TransportEntry(
            self.now, self.operators, name, transport, messages, dataflow
        )
        self.entries.append(entry)
        if self._reservations is not None:
            self._reservations.take(transport, self.now)
        self.operators += 1
        self.hops += transport.hops
        self.trains += len(transport.link)
        self._check(self.trains)
        self.spent = self.spent.plus(transport.spent)
        self.prefetch.free(begin, self.now)

    def _wait_cycles(self, transport: Transport) -> int:
        """Return the cycles for which a phase waits for the trains of other stages."""
        if self._reservations is None:
            return 0
        return self._reservations.wait_cycles(transport, self.now)


def _participants(
    chips: Ints, works: tuple[Work, ...], cycles: Ints
) -> tuple[Ints, tuple[Work, ...], Ints]:
    """Return chips, works and cycles of the members that take part in an operator."""
    has_part = cycles > 0
    if has_part.all():
        return chips, works, cycles
    own = tuple(compress(works, has_part.tolist()))
    return chips[has_part], own, cycles[has_part]
