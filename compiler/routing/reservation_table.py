"""Reservation table of a link: the spans for which its wire is reserved."""

from bisect import bisect_right
from typing import final


@final
class ReservationTable:
    """Reserved spans of one link, in cycles, sorted and disjoint."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def reserve(self, ready_cycle: int, duration_cycles: int) -> int:
        """Reserve the first free span not before `ready_cycle`; return its start.

        >>> table = ReservationTable()
        >>> [table.reserve(0, 10), table.reserve(15, 10), table.reserve(0, 5)]
        [0, 15, 10]
        """
        starts, ends = self._starts, self._ends
        start = ready_cycle
        # Spans are disjoint, so their ends are as sorted as their starts.
        place = bisect_right(ends, start)
        while place < len(starts) and starts[place] < start + duration_cycles:
            start = ends[place]
            place += 1
        starts.insert(place, start)
        ends.insert(place, start + duration_cycles)
        return start
