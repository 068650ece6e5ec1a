"""Modulo reservation table: use of links that stages share, modulo the period.

Once a pipeline is full, a token starts after every initiation interval, and each token
uses a link as the one before did. So the table holds, for each link, the cycles of one
period in which it is reserved.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import final

import numpy as np

from compiler.ir.identity_map import IdentityMap
from compiler.ir.timeline import Timeline, TransportEntry
from compiler.ir.transfers import Transport
from specs.errors import ScheduleError

# Starts that are tried together at first; most phases can use one of them.
_FIRST_STARTS = 512


@final
class ModuloReservationTable:
    """Reservations of contested links, in cycles modulo a period.

    Parameters
    ----------
    period_cycles
        Cycles after which the schedule repeats.
    contested
        Links that more than one stage uses. A link of a single stage is free whenever
        that stage is.
    """

    def __init__(self, period_cycles: int, contested: Collection[int]) -> None:
        self._period = period_cycles
        self._contested = np.array(sorted(contested), dtype=np.int64)
        # A bit for each cycle of the period in which a link is reserved.
        self._taken: defaultdict[int, int] = defaultdict(int)
        self._known: IdentityMap[Transport, list[tuple[int, int, int]]] = IdentityMap()

    def wait_cycles(self, transport: Transport, ready_cycle: int) -> int:
        """Return the cycles that a phase must wait until all its links are free.

        Parameters
        ----------
        transport
            The phase.
        ready_cycle
            Cycle at which it could start.

        Raises
        ------
        ScheduleError
            If there is no such cycle in a whole period.
        """
        uses = self._uses(transport)
        waited, together = 0, _FIRST_STARTS
        while waited < self._period:
            busy = 0
            for link, wire_cycle, duration in uses:
                taken = self._taken[link]
                if taken:
                    first = (ready_cycle + waited + wire_cycle) % self._period
                    busy |= self._unfit(taken, first, together, duration)
            free = ~busy & ((1 << together) - 1)
            if free:
                return waited + (free & -free).bit_length() - 1
            waited += together
            together *= 2
        raise ScheduleError(
            f"a phase of {len(transport.link)} trains finds no moment in "
            f"{self._period} cycles in which all its links are free"
        )

    def take(self, transport: Transport, start_cycle: int) -> None:
        """Reserve the links of a phase that starts at a cycle."""
        period = self._period
        for link, wire_cycle, duration in self._uses(transport):
            first = (start_cycle + wire_cycle) % period
            span = ((1 << duration) - 1) << first
            self._taken[link] |= (span | span >> period) & ((1 << period) - 1)

    def _unfit(self, taken: int, first: int, starts: int, duration: int) -> int:
        """Return a bit for each start from `first` on that conflicts with `taken`."""
        width = starts + duration
        ahead, seen = taken >> first, self._period - first
        while seen < width:
            ahead |= taken << seen
            seen += self._period
        ahead &= (1 << width) - 1
        # A reserved cycle conflicts with `duration` starts: its own and those before.
        spread = 1
        while ahead and spread < duration:
            step = min(spread, duration - spread)
            ahead |= ahead >> step
            spread += step
        return ahead

    def _uses(self, transport: Transport) -> list[tuple[int, int, int]]:
        """Return link, first cycle and duration of each train on a contested link."""
        return self._known.of(transport, self._contested_uses)

    def _contested_uses(self, transport: Transport) -> list[tuple[int, int, int]]:
        """Return the uses of contested links, computed from the trains."""
        met = np.isin(transport.link, self._contested)
        columns = (
            transport.link[met].tolist(),
            transport.wire_cycle[met].tolist(),
            transport.serialisation_cycles[met].tolist(),
        )
        return list(zip(*columns, strict=True))


def contested_links(timelines: Sequence[Timeline]) -> frozenset[int]:
    """Return the links that messages of more than one stage have to reserve."""
    stage = 0
    user: dict[int, int] = {}
    contested: set[int] = set()
    for timeline in timelines:
        for entry in timeline.entries:
            if isinstance(entry, TransportEntry):
                for link in set(entry.transport.link.tolist()):
                    if user.setdefault(link, stage) != stage:
                        contested.add(link)
                stage += entry.name == "hand_over"
        stage += 1
    return frozenset(contested)
