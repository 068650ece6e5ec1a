"""Schedule builder: appends operators, phases and deskews, each after the last."""

from collections.abc import Callable
from itertools import compress
from typing import NamedTuple, final

from chip.operator_work import Work
from compiler.ir.entry_dataflow import EntryDataflow
from compiler.ir.messages import MessageTable
from compiler.ir.timeline import ComputeEntry, LoadEntry, TimelineEntry, TransportEntry
from compiler.ir.transfers import CycleBreakdown, TransferModel, Transport
from compiler.routing.modulo_reservation_table import ModuloReservationTable
from compiler.scheduling.weight_prefetch import (
    PrefetchedProduct,
    WeightLoad,
    WeightPrefetcher,
    Windows,
)
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
    hidden_cycles
        Cycles of exchanges so far in which chips multiplied.
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
        self.hidden_cycles = 0
        self._beside: _Beside | None = None
        self._exchanged = 0
        self._product_end = 0
        self._interval_cycles = interval_cycles

    @property
    def now(self) -> int:
        """Return the cycle at which the timeline ends so far."""
        return self.spent.total

    @property
    def windows(self) -> Windows:
        """Return the cycles in which weights may load, relative to the end so far."""
        now = self.now
        return tuple((start - now, end - now) for start, end in self.prefetch.windows)

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
            begin = self._product_begin(operator)
            works, cycles, loads = self.prefetch.product(operator, begin)
            longest = int(cycles.max())
            self._product_end = begin + longest
        for load in loads:
            self._load(begin, load, chips)
        entry = ComputeEntry(
            begin,
            self.operators,
            operator.name,
            operator.unit,
            chips,
            works,
            cycles,
            dataflow,
        )
        entry = _taking_part(entry)
        if loads:
            alone = entry._replace(
                chips=chips, works=operator.works, cycles=operator.cycles
            )
            entry = entry._replace(alone=_taking_part(alone))
        self.entries.append(entry)
        self.operators += 1
        self.spent = self.spent.plus(CycleBreakdown(compute=begin + longest - self.now))
        if self._beside is None:
            self.prefetch.after(operator.unit, begin, self.now)

    def _product_begin(self, operator: Compute) -> int:
        """Return when a product begins, if nothing else is ready later."""
        return self.prefetch.begin(
            operator, self.now, self._exchanged, self._product_end
        )

    def start_beside(
        self, operator: Compute, chips: Ints, dataflow: EntryDataflow | None = None
    ) -> None:
        """Start a product beside the phases that are appended until `end_beside`."""
        if not operator.cycles.any():
            return
        begin = self._product_begin(operator)
        found = self.prefetch.product(operator, begin)
        self._beside = _Beside(
            operator, chips, dataflow, begin, found, len(self.entries), self.spent
        )

    def end_beside(self) -> None:
        """End an exchange: what is appended next waits for the product beside it too.

        Of the cycles of the exchange, those in which the product runs are hidden.
        """
        beside, self._exchanged = self._beside, self.now
        if beside is None:
            return
        self._beside = None
        works, cycles, loads = beside.product
        for load in loads:
            self._load(beside.begin, load, beside.chips)
        # It is numbered behind the exchange, and starts with it.
        entry = ComputeEntry(
            beside.begin,
            self.operators,
            beside.operator.name,
            beside.operator.unit,
            beside.chips,
            works,
            cycles,
            beside.dataflow,
        )
        self.entries.insert(beside.place, _taking_part(entry))
        self.operators += 1
        end = self._product_end = beside.begin + int(cycles.max())
        before = beside.spent
        computing = max(0, end - before.total)
        hidden = min(computing, self.now - before.total)
        self.hidden_cycles += hidden
        exchanged = self.spent.minus(before).without(hidden)
        self.spent = before.plus(exchanged).plus(CycleBreakdown(compute=computing))
        self.prefetch.after(Unit.MATMUL, beside.begin, end)
        self.prefetch.free(end, self._exchanged)

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
                self._idle()
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
        self._exchanged = self.now
        if self._beside is None:
            self.prefetch.free(begin, self.now)

    def _idle(self) -> None:
        """Wait until no product runs beside the exchange: a deskew stalls a chip."""
        if self._beside is not None:
            left = self._beside.begin + int(self._beside.product.cycles.max())
            left = max(0, left - self.now)
            self.spent = self.spent.plus(CycleBreakdown(wait=left))

    def _wait_cycles(self, transport: Transport) -> int:
        """Return the cycles for which a phase waits for the trains of other stages."""
        if self._reservations is None:
            return 0
        return self._reservations.wait_cycles(transport, self.now)


class _Beside(NamedTuple):
    """A product that runs beside an exchange.

    Attributes
    ----------
    operator, chips, dataflow
        As in `ScheduleBuilder.compute`.
    begin, product
        Its first cycle, and the product with the weights that load ahead of it.
    place, spent
        Entries before the exchange, and where the cycles before it went.
    """

    operator: Compute
    chips: Ints
    dataflow: EntryDataflow | None
    begin: int
    product: PrefetchedProduct
    place: int
    spent: CycleBreakdown


def _taking_part(entry: ComputeEntry) -> ComputeEntry:
    """Return the entry of an operator without members that have no part in it."""
    chips, works, cycles = _participants(entry.chips, entry.works, entry.cycles)
    return entry._replace(chips=chips, works=works, cycles=cycles)


def _participants(
    chips: Ints, works: tuple[Work, ...], cycles: Ints
) -> tuple[Ints, tuple[Work, ...], Ints]:
    """Return chips, works and cycles of the members that take part in an operator."""
    has_part = cycles > 0
    if has_part.all():
        return chips, works, cycles
    own = tuple(compress(works, has_part.tolist()))
    return chips[has_part], own, cycles[has_part]
