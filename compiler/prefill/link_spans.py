"""Link spans: when the links that several transfers share are reserved."""

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple, final


class LinkUse(NamedTuple):
    """Link use: first cycle of a train on a link and the one after its last."""

    link: int
    begin: int
    end: int


@final
class LinkSpans:
    """Reserved spans of links, in cycles, sorted and disjoint on each link."""

    def __init__(self) -> None:
        self._taken: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)

    def first_free(self, uses: Sequence[LinkUse], at: int) -> int:
        """Return the first start from `at` on at which all uses find their link free.

        Parameters
        ----------
        uses
            Uses of a transfer, in cycles from its start.
        at
            The first cycle that is tried.

        >>> spans = LinkSpans()
        >>> spans.take([LinkUse(0, 10, 20)], 0)
        >>> spans.first_free([LinkUse(0, 0, 5), LinkUse(1, 5, 9)], 8)
        20
        """
        free = False
        while not free:
            free = True
            for use in uses:
                clear = self._clear(use, at)
                if clear > at:
                    at, free = clear, False
        return at

    def take(self, uses: Iterable[LinkUse], at: int) -> None:
        """Reserve the links of a transfer that starts at a cycle."""
        for use in uses:
            insort(self._taken[use.link], (at + use.begin, at + use.end))

    def release(self, uses: Iterable[LinkUse], at: int) -> None:
        """Give back what a transfer reserved that would have started at a cycle."""
        for use in uses:
            self._taken[use.link].remove((at + use.begin, at + use.end))

    def reserve(self, link: int, ready_cycle: int, cycles: int) -> int:
        """Reserve the first free cycles of a link in a row; return the first of them.

        Parameters
        ----------
        link
            The link.
        ready_cycle
            The first cycle that may be taken.
        cycles
            How many are.
        """
        taken = self._taken[link]
        begin, place = _free_from(taken, ready_cycle, cycles)
        taken.insert(place, (begin, begin + cycles))
        return begin

    def _clear(self, use: LinkUse, at: int) -> int:
        """Return the first start from `at` on at which one link is free."""
        length = use.end - use.begin
        begin, _ = _free_from(self._taken[use.link], at + use.begin, length)
        return begin - use.begin


def _free_from(
    taken: list[tuple[int, int]], begin: int, cycles: int
) -> tuple[int, int]:
    """Return the first free span from a cycle on, and its place among those taken."""
    place = bisect_right(taken, (begin, begin + cycles))
    if place and taken[place - 1][1] > begin:
        begin = taken[place - 1][1]
    while place < len(taken) and taken[place][0] < begin + cycles:
        begin = taken[place][1]
        place += 1
    return begin, place
