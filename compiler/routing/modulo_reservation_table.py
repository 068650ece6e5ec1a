"""When the links that several stages take are free, at a given pace of tokens.

Once a pipeline is full, a token starts every so many cycles, and each uses a link just
as the one before did. So it is enough to keep for each link in which cycles of one such
period it is taken.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import final

import numpy as np

from compiler.ir.identity_map import IdentityMap
from compiler.ir.timeline import Timeline, TransportEntry
from compiler.ir.transfers import Transport
from specs.errors import ScheduleError

# Starts that are looked at together at first; most phases find one among them.
_LOOKED_AT = 512


@final
class ModuloReservationTable:
    """The trains that are laid on shared links, cycles counted modulo a period.

    Parameters
    ----------
    period_cycles
        Cycles after which all repeats itself.
    contested
        Links that more than one stage takes. What one stage takes alone is free
        whenever that stage is.
    """

    def __init__(self, period_cycles: int, contested: Collection[int]) -> None:
        self._period = period_cycles
        self._contested = np.array(sorted(contested), dtype=np.int64)
        # A bit for each cycle of the period in which a link is taken.
        self._taken: defaultdict[int, int] = defaultdict(int)
        self._known: IdentityMap[Transport, list[tuple[int, int, int]]] = IdentityMap()

    def wait_cycles(self, transport: Transport, ready_cycle: int) -> int:
        """Return how long a phase must wait until all its trains find their links free.

        Parameters
        ----------
        transport
            The phase.
        ready_cycle
            When it could start.

        Raises
        ------
        ScheduleError
            If there is no such moment in a whole period.
        """
        uses = self._uses(transport)
        waited, together = 0, _LOOKED_AT
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
        """Put a phase on its links."""
        period = self._period
        for link, wire_cycle, duration in self._uses(transport):
            first = (start_cycle + wire_cycle) % period
            span = ((1 << duration) - 1) << first
            self._taken[link] |= (span | span >> period) & ((1 << period) - 1)

    def _unfit(self, taken: int, first: int, starts: int, duration: int) -> int:
        """Return a bit for each start from `first` on that would meet what is there."""
        width = starts + duration
        ahead, seen = taken >> first, self._period - first
        while seen < width:
            ahead |= taken << seen
            seen += self._period
        ahead &= (1 << width) - 1
        # A use is in the way of as many starts before it as it would last.
        spread = 1
        while ahead and spread < duration:
            step = min(spread, duration - spread)
            ahead |= ahead >> step
            spread += step
        return ahead

    def _uses(self, transport: Transport) -> list[tuple[int, int, int]]:
        """Return link, first cycle and duration of the trains on contested links."""
        return self._known.of(transport, self._contested_uses)

    def _contested_uses(self, transport: Transport) -> list[tuple[int, int, int]]:
        met = np.isin(transport.link, self._contested)
        columns = (
            transport.link[met].tolist(),
            transport.wire_cycle[met].tolist(),
            transport.serialisation_cycles[met].tolist(),
        )
        return list(zip(*columns, strict=True))


def contested_links(chains: Sequence[Timeline]) -> frozenset[int]:
    """Return the links that more than one stage of some chains has trains on."""
    stage = 0
    user: dict[int, int] = {}
    contested: set[int] = set()
    for chain in chains:
        for entry in chain.entries:
            if isinstance(entry, TransportEntry):
                for link in set(entry.transport.link.tolist()):
                    if user.setdefault(link, stage) != stage:
                        contested.add(link)
                stage += entry.name == "hand_over"
        stage += 1
    return frozenset(contested)
