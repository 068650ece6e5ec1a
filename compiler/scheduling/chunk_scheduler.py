"""Chunk scheduler: the chunks of a prompt in the pipeline stages, entry by entry.

A stage takes a chunk when the chunk ahead has left it. A stage transfer of one chunk
may use a link that the stage of another chunk needs: the later of the two waits.
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


def schedule_chunks(
    parts: Sequence[Timeline], stall_cycles: int
) -> tuple[Timeline, list[int]]:
    """Schedule the timelines of chunks as one, and return each chunk's start cycle.

    Parameters
    ----------
    parts
        The timeline of each chunk, from its own start; the last may have more stages.
    stall_cycles
        Length of a deskew: where a chunk waits, its stage must be able to deskew.
    """
    scheduler = _ChunkScheduler(parts, stall_cycles)
    for part in parts:
        scheduler.add(part)
    return scheduler.timeline(parts), scheduler.starts


class _LinkUse(NamedTuple):
    """Link use: first cycle and end of a train on a link that several stages use."""

    link: int
    begin: int
    end: int


@final
class _ChunkScheduler:
    """Scheduler of chunks: keeps when stages and contested links are taken."""

    def __init__(self, parts: Sequence[Timeline], stall_cycles: int) -> None:
        self._stall_cycles = stall_cycles
        self._contested = contested_links(parts[-1:])
        self._link_uses: IdentityMap[Transport, list[_LinkUse]] = IdentityMap()
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
        """Schedule a chunk behind those added before."""
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
                at = self._reserved(entry.transport, ready, at)
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
            # Weights load beside what the stage does when they begin to load.
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
        """Free a stage that a chunk leaves."""
        self._free_cycle[stage] = now
        self._busy_cycles[stage] += now - entered

    def _reserved(self, transport: Transport, ready: int, at: int) -> int:
        """Return when a phase starts, from `at` on, and reserve its links."""
        uses = self._link_uses.of(transport, self._contested_uses)
        at = self._waited(ready, at)
        free = False
        while not free:
            free = True
            for use in uses:
                clear = self._clear(use, at)
                if clear > at:
                    at = self._waited(ready, clear)
                    free = False
        for use in uses:
            insort(self._taken[use.link], (at + use.begin, at + use.end))
        return at

    def _waited(self, ready: int, at: int) -> int:
        """Return `at`, or a later cycle if a wait would not leave room for a deskew."""
        return at if at == ready else max(at, ready + self._stall_cycles)

    def _clear(self, use: _LinkUse, at: int) -> int:
        """Return `at` if a link is free then, else when the train on it has passed."""
        taken = self._taken[use.link]
        place = bisect_right(taken, (at + use.begin, at + use.end))
        if place and taken[place - 1][1] > at + use.begin:
            return taken[place - 1][1] - use.begin
        if place < len(taken) and taken[place][0] < at + use.end:
            return taken[place][1] - use.begin
        return at

    def _contested_uses(self, transport: Transport) -> list[_LinkUse]:
        """Return the uses of contested links, in cycles from the start of a phase."""
        ends = transport.wire_cycle + transport.serialisation_cycles
        rows = zip(
            transport.link.tolist(),
            transport.wire_cycle.tolist(),
            ends.tolist(),
            strict=True,
        )
        return [_LinkUse(*row) for row in rows if row[0] in self._contested]

    def timeline(self, parts: Sequence[Timeline]) -> Timeline:
        """Return all chunks as one timeline.

        All cycles that are not the last chunk's own count as waiting.
        """
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
    """Return the length of an entry."""
    if isinstance(entry, ComputeEntry):
        return int(entry.cycles.max())
    return entry.transport.duration_cycles
