"""Chunks of a prompt in the stages one after the other, entry by entry.

A stage takes a chunk when the chunk ahead has left it. What is passed on for one chunk
may ride a link that another chunk's stage needs: who comes later waits.
"""

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple, final

from compiler.ir.identity_map import IdentityMap
from compiler.ir.timeline import (
    ComputeEntry,
    LoadEntry,
    Timeline,
    TimelineEntry,
    TransportEntry,
)
from compiler.ir.transfers import CycleBreakdown, Transport
from compiler.routing.modulo_reservation_table import contested_links


def joined(parts: Sequence[Timeline], stall_cycles: int) -> tuple[Timeline, list[int]]:
    """Return the chains of chunks as one, and the cycle at which each chunk starts.

    Parameters
    ----------
    parts
        The chain of each chunk, from its own start; the last may have further stages.
    stall_cycles
        Length of a deskew: where a chunk waits, its stage must be able to deskew.
    """
    placing = _Placing(parts, stall_cycles)
    for part in parts:
        placing.add(part)
    return placing.timeline(parts), placing.starts


class _Ride(NamedTuple):
    """A train on a link that several stages use: from when, until when."""

    link: int
    begin: int
    end: int


@final
class _Placing:
    """Stages and links as they are taken, chunk after chunk."""

    def __init__(self, parts: Sequence[Timeline], stall_cycles: int) -> None:
        self._stall_cycles = stall_cycles
        self._contested = contested_links(parts[-1:])
        self._rides: IdentityMap[Transport, list[_Ride]] = IdentityMap()
        self._taken: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        stages = len(parts[-1].stage_cycles)
        self._free_cycle = [0] * stages
        self._busy_cycles = [0] * stages
        self._entries: list[TimelineEntry] = []
        self._loads: list[LoadEntry] = []
        self._operators = 0
        self._end_cycle = 0
        self.starts: list[int] = []

    def add(self, part: Timeline) -> None:
        """Add a chunk behind those added before."""
        ahead = bool(self.starts)
        stage, entered = 0, 0
        before, now = 0, 0
        begins, moved = [0], [0]
        if ahead:
            entered = now = self._free_cycle[0] + self._stall_cycles
        self.starts.append(now)
        moved[0] = now
        for entry in part.entries:
            # Gaps between entries belong to deskews.
            ready = at = now + entry.start_cycle - before
            into_next = entry.name == "hand_over"
            if ahead and into_next:
                at = max(at, self._free_cycle[stage + 1] + self._stall_cycles)
            if isinstance(entry, TransportEntry):
                at = self._placed(entry.transport, ready, at)
            self._entries.append(
                entry._replace(
                    start_cycle=at, operator=entry.operator + self._operators
                )
            )
            begins.append(entry.start_cycle)
            moved.append(at - entry.start_cycle)
            cycles = _cycles(entry)
            before, now = entry.start_cycle + cycles, at + cycles
            if into_next:
                self._leave(stage, entered, now)
                stage, entered = stage + 1, at
        self._leave(stage, entered, now)
        for load in part.loads:
            # Weights are loaded beside what the stage does when they begin to load.
            place = bisect_right(begins, load.start_cycle) - 1
            self._loads.append(
                load._replace(
                    start_cycle=load.start_cycle + moved[place],
                    operator=load.operator + self._operators,
                )
            )
        self._operators += part.entries[-1].operator + 1
        self._end_cycle = now

    def _leave(self, stage: int, entered: int, now: int) -> None:
        self._free_cycle[stage] = now
        self._busy_cycles[stage] += now - entered

    def _placed(self, transport: Transport, ready: int, at: int) -> int:
        """Return when a phase starts, from `at` on, and take its links for it."""
        rides = self._rides.of(transport, self._rides_of)
        at = self._waited(ready, at)
        free = False
        while not free:
            free = True
            for ride in rides:
                clear = self._clear(ride, at)
                if clear > at:
                    at = self._waited(ready, clear)
                    free = False
        for ride in rides:
            insort(self._taken[ride.link], (at + ride.begin, at + ride.end))
        return at

    def _waited(self, ready: int, at: int) -> int:
        """Return `at`, or later, so that a wait leaves room for a deskew."""
        return at if at == ready else max(at, ready + self._stall_cycles)

    def _clear(self, ride: _Ride, at: int) -> int:
        """Return the start from `at` on at which a train's link is free at first."""
        taken = self._taken[ride.link]
        place = bisect_right(taken, (at + ride.begin, at + ride.end))
        if place and taken[place - 1][1] > at + ride.begin:
            return taken[place - 1][1] - ride.begin
        if place < len(taken) and taken[place][0] < at + ride.end:
            return taken[place][1] - ride.begin
        return at

    def _rides_of(self, transport: Transport) -> list[_Ride]:
        ends = transport.wire_cycle + transport.serialisation_cycles
        rows = zip(
            transport.link.tolist(),
            transport.wire_cycle.tolist(),
            ends.tolist(),
            strict=True,
        )
        return [_Ride(*row) for row in rows if row[0] in self._contested]

    def timeline(self, parts: Sequence[Timeline]) -> Timeline:
        """Return all chunks as one chain; what is not the last one's own is waiting."""
        last = parts[-1].spent
        hops = [0] * len(self._busy_cycles)
        for part in parts:
            for stage, more in enumerate(part.stage_hops):
                hops[stage] += more
        return Timeline(
            entries=tuple(self._entries),
            loads=tuple(self._loads),
            spent=last.plus(CycleBreakdown(wait=self._end_cycle - last.total)),
            stage_cycles=tuple(self._busy_cycles),
            stage_hops=tuple(hops),
            trains=sum(part.trains for part in parts),
        )


def _cycles(entry: TimelineEntry) -> int:
    if isinstance(entry, ComputeEntry):
        return int(entry.cycles.max())
    return entry.transport.duration_cycles
