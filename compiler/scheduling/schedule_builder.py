"""A token in the making: what groups of chips do, each thing after the one before."""

from collections.abc import Callable
from itertools import compress
from typing import final

from chip.operator_work import Work
from compiler.ir.messages import MessageTable
from compiler.ir.timeline import ComputeEntry, LoadEntry, TimelineEntry, TransportEntry
from compiler.ir.transfers import CycleBreakdown, TransferModel, Transport
from compiler.routing.modulo_reservation_table import ModuloReservationTable
from compiler.scheduling.weight_prefetch import Ahead, Prefetch
from sharding.operators.operators import Compute, Unit
from specs.arrays import Ints
from specs.errors import ScheduleError
from specs.machine import ChipSpec


@final
class ScheduleBuilder:
    """A timeline in the making.

    Parameters
    ----------
    transporter
        What schedules messages.
    chip
        The processor.
    stall_cycles
        Length of a RUNTIME_DESKEW.
    interval_cycles
        Longest time between a deskew and a vector that relies on it, 0 for no deskews.
    check
        Called with the trains so far; refuses too many.
    traffic
        What is on the links of other tokens and stages, and is waited for; None if
        there is nothing.
    """

    def __init__(
        self,
        transporter: TransferModel,
        *,
        chip: ChipSpec,
        stall_cycles: int,
        interval_cycles: int,
        check: Callable[[int], None],
        traffic: ModuloReservationTable | None = None,
    ) -> None:
        self._transporter = transporter
        self._traffic = traffic
        self._stall_cycles = stall_cycles
        self._check = check
        self.prefetch = Prefetch(chip)
        self._fill_cycles = chip.matmul_fill_cycles
        self.entries: list[TimelineEntry] = []
        self.loads: list[LoadEntry] = []
        self.spent = CycleBreakdown()
        self.operators = 0
        self.hops = 0
        self.trains = 0
        # When the chips at work began their last deskew, and how long it may be ago.
        self.deskewed_cycle = 0
        self._interval_cycles = interval_cycles

    @property
    def now(self) -> int:
        """Return the cycle at which the chain ends so far."""
        return self.spent.total

    def compute(self, operator: Compute, chips: Ints) -> None:
        """Append an operator; members without a part wait."""
        works, cycles = operator.works, operator.cycles
        longest = int(cycles.max())
        if longest == 0:
            return
        begin = self.now
        if operator.unit is Unit.MATMUL:
            works, cycles, loads = self.prefetch.product(operator, begin)
            longest = int(cycles.max())
            for ahead in loads:
                self._load(begin, ahead, chips)
        chips, works, cycles = _with_part(chips, works, cycles)
        self.entries.append(
            ComputeEntry(
                begin,
                self.operators,
                operator.name,
                operator.unit,
                chips,
                works,
                cycles,
            )
        )
        self.operators += 1
        self.spent = self.spent.plus(CycleBreakdown(compute=longest))
        if operator.unit is Unit.MATMUL:
            # All that it reads has been read: the next may load while this one drains.
            self.prefetch.restart()
            self.prefetch.free(self.now - self._fill_cycles, self.now)
        elif operator.unit is Unit.VECTOR:
            self.prefetch.free(begin, self.now)

    def _load(self, begin: int, ahead: Ahead, chips: Ints) -> None:
        """Append weights that are loaded ahead of an operator that begins then."""
        chips, works, cycles = _with_part(chips, ahead.works, ahead.cycles)
        start = begin - ahead.lead_cycles
        self.loads.append(LoadEntry(start, self.operators, chips, works, cycles))

    def deskew(self) -> None:
        """Leave room for a RUNTIME_DESKEW of the chips at work, if there are any."""
        if not self._interval_cycles:
            return
        self.deskewed_cycle = self.now
        self.spent = self.spent.plus(CycleBreakdown(deskew=self._stall_cycles))

    def send(self, name: str, messages: MessageTable) -> None:
        """Append a phase, after a deskew if the last one is too long ago for it."""
        if not len(messages):
            return
        transport = self._transporter.transport(messages)
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
        self.entries.append(TransportEntry(self.now, self.operators, name, transport))
        if self._traffic is not None:
            self._traffic.take(transport, self.now)
        self.operators += 1
        self.hops += transport.hops
        self.trains += len(transport.link)
        self._check(self.trains)
        self.spent = self.spent.plus(transport.spent)
        self.prefetch.free(begin, self.now)

    def _wait_cycles(self, transport: Transport) -> int:
        """Return how long a phase waits for other stages' trains to pass."""
        if self._traffic is None:
            return 0
        return self._traffic.wait_cycles(transport, self.now)


def _with_part(
    chips: Ints, works: tuple[Work, ...], cycles: Ints
) -> tuple[Ints, tuple[Work, ...], Ints]:
    """Return the members of a group that have a part in an operator."""
    has_part = cycles > 0
    if has_part.all():
        return chips, works, cycles
    own = tuple(compress(works, has_part.tolist()))
    return chips[has_part], own, cycles[has_part]
