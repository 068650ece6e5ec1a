"""Chunk scheduler: the chunks of a prompt in the pipeline stages, entry by entry.

A stage holds several chunks at a time: while one computes, another exchanges or is on
its way to the next stage. Whenever a unit of a stage is free, the oldest chunk that is
ready for it goes on. No chunk overtakes another, so that each attends to the keys and
values of those before it.
"""

import heapq
from collections.abc import Sequence
from typing import NamedTuple, final

from compiler.cost.link_timing import LinkTiming
from compiler.ir.identity_map import IdentityMap
from compiler.ir.timeline import (
    ComputeEntry,
    LoadEntry,
    Timeline,
    TimelineEntry,
    TransportEntry,
)
from compiler.ir.transfers import Transport
from compiler.prefill.chunk_steps import (
    STAGE_TRANSFER,
    ChunkStep,
    reads_memory,
    stage_steps,
)
from compiler.prefill.chunk_timeline import chunk_timeline
from compiler.prefill.link_spans import LinkSpans, LinkUse
from compiler.prefill.shared_links import link_uses, shared_links
from compiler.prefill.stage_occupancy import StageOccupancy, Touched
from compiler.prefill.stage_state import StageState
from compiler.prefill.stage_transfers import TransferPart, TransferRouter
from specs.arrays import Ints
from specs.machine import MachineSpec
from topologies.topology import Topology


class ScheduledChunks(NamedTuple):
    """Chunks of a prompt as one timeline, and when each starts."""

    timeline: Timeline
    starts: tuple[int, ...]


def schedule_chunks(
    parts: Sequence[Timeline],
    *,
    topology: Topology,
    machine: MachineSpec,
    timing: LinkTiming,
    stages: list[Ints],
    interval_cycles: int,
    together: int,
) -> ScheduledChunks:
    """Schedule the timelines of chunks as one.

    Parameters
    ----------
    parts
        The timeline of each chunk, from its own start; the last may have more stages.
    topology, machine, timing
        Links and chips, and how long links take.
    stages
        Chips of each stage.
    interval_cycles
        Longest time between a deskew and a vector that relies on it, 0 for no deskews.
    together
        Most chunks that a stage holds at a time.

    Raises
    ------
    ScheduleError
        If a transfer is longer than the interval.
    """
    if len(parts) == 1:
        return ScheduledChunks(parts[0], (0,))
    occupancy = StageOccupancy(
        topology, stages, interval_cycles, machine.hac.epoch_cycles
    )
    router = TransferRouter(topology, machine, timing)
    scheduler = _ChunkScheduler(parts, occupancy, router, together)
    scheduler.run()
    return ScheduledChunks(scheduler.timeline(parts), scheduler.starts)


@final
class _ChunkScheduler:
    """Scheduler of chunks, from event to event."""

    def __init__(
        self,
        parts: Sequence[Timeline],
        occupancy: StageOccupancy,
        router: TransferRouter,
        together: int,
    ) -> None:
        self._steps = [stage_steps(part) for part in parts]
        self._occupancy = occupancy
        self._router = router
        self._together = together
        # Earlier chunks end before a stage that holds the head alone.
        self._stages = [
            StageState([own[n] if n < len(own) else [] for own in self._steps])
            for n in range(len(self._steps[-1]))
        ]
        self._entries: list[list[TimelineEntry]] = [[] for _ in parts]
        self._loads: list[list[LoadEntry]] = [[] for _ in parts]
        self._entered = 0
        self._events = [(0, 0)]
        self._spans = LinkSpans()
        self._parts: IdentityMap[Transport, list[TransferPart]] = IdentityMap()
        self._touched: IdentityMap[Transport, Touched] = IdentityMap()
        self._uses: IdentityMap[Transport, list[LinkUse]] = IdentityMap()
        self._shared = shared_links(self._steps, self._transfer_parts)

    @property
    def starts(self) -> tuple[int, ...]:
        """Return the cycle at which each chunk starts."""
        return tuple(entries[0].start_cycle for entries in self._entries)

    def timeline(self, parts: Sequence[Timeline]) -> Timeline:
        """Return all chunks as one timeline, once they are scheduled."""
        return chunk_timeline(parts, self._steps, self._entries, self._loads)

    def run(self) -> None:
        """Schedule all steps of all chunks."""
        while self._events:
            now = self._events[0][0]
            stages = set()
            while self._events and self._events[0][0] == now:
                stages.add(heapq.heappop(self._events)[1])
            for stage in sorted(stages):
                self._advance(stage, now)
                self._occupancy.settle(stage, now)
                self._start_ready(stage, now)

    def _advance(self, number: int, now: int) -> None:
        """End what has run in a stage, and admit chunks."""
        stage = self._stages[number]
        for chunk in stage.end_steps(now):
            if number:
                heapq.heappush(self._events, (now, number - 1))
            if number + 1 < len(self._steps[chunk]):
                self._stages[number + 1].enter(chunk)
                heapq.heappush(self._events, (now, number + 1))
        while (
            number == 0
            and self._entered < len(self._steps)
            and stage.has_room(self._entered, self._together)
        ):
            stage.enter(self._entered)
            self._entered += 1

    def _start_ready(self, number: int, now: int) -> None:
        """Start what the oldest chunks of a stage are ready for."""
        stage = self._stages[number]
        for chunk in list(stage.ready):
            if not stage.may_go_on(chunk, now):
                continue
            step = stage.next_step(chunk)
            end = None
            if isinstance(step.entry, ComputeEntry):
                if stage.compute_end <= now:
                    end = stage.compute_end = self._compute(number, chunk, step, now)
            elif step.entry.name == STAGE_TRANSFER:
                room = self._stages[number + 1].has_room(chunk, self._together)
                if room and stage.transfer_end <= now:
                    end = stage.transfer_end = self._transfer(chunk, step.entry, now)
            elif stage.exchange_end <= now:
                end = stage.exchange_end = self._exchange(chunk, step.entry, now)
            if end is not None:
                stage.start(chunk, end)
                heapq.heappush(self._events, (end, number))

    def _compute(self, number: int, chunk: int, step: ChunkStep, now: int) -> int:
        """Schedule an operator, with weights ahead of it if they can load there."""
        stage = self._stages[number]
        entry = step.entry
        assert isinstance(entry, ComputeEntry)
        at = self._occupancy.work_start(number, now)
        loads = step.loads
        if loads and not self._can_load(number, chunk, step, at):
            assert entry.alone is not None
            entry, loads = entry.alone, ()
        end = at + int(entry.cycles.max())
        operator = len(self._entries[chunk])
        self._entries[chunk].append(entry._replace(start_cycle=at, operator=operator))
        for load in loads:
            moved = at - step.entry.start_cycle
            self._loads[chunk].append(
                load._replace(start_cycle=load.start_cycle + moved, operator=operator)
            )
        self._occupancy.work(number, end)
        if reads_memory(entry):
            stage.read_by, stage.read_end = chunk, end
        return end

    def _can_load(self, number: int, chunk: int, step: ChunkStep, at: int) -> bool:
        """Return whether the weights of a product can load before it starts.

        They can if no other matrix is read then, or if its own chunk read the last one
        and not later, before the product, than in its own timeline.
        """
        stage = self._stages[number]
        begin = at - step.lead_cycles
        if begin < self._occupancy.rested_cycle(number):
            return False
        own = stage.read_by == chunk and at - stage.read_end >= step.apart_cycles
        return own or begin >= stage.read_end

    def _exchange(self, chunk: int, entry: TransportEntry, now: int) -> int:
        """Schedule a phase of an exchange, or the return of the token."""
        transport = entry.transport
        uses = self._uses.of(transport, self._shared_uses)
        touched = self._touched.of(transport, self._occupancy.touched)
        at, before = now, -1
        while at > before:
            before = at
            at = self._spans.first_free(uses, at)
            at = self._occupancy.transfer_start(touched, at, now)
        self._spans.take(uses, at)
        return self._sent(chunk, entry, touched, at)

    def _transfer(self, chunk: int, entry: TransportEntry, now: int) -> int:
        """Schedule a stage transfer, train by train."""
        parts = self._transfer_parts(entry.transport)
        at = now
        while True:
            placed = self._router.placed(parts, self._spans, at)
            touched = self._occupancy.touched(placed.transport)
            later = self._occupancy.transfer_start(touched, at, now)
            if later == at:
                moved = entry._replace(transport=placed.transport)
                return self._sent(chunk, moved, touched, at)
            self._spans.release(placed.uses, at)
            at = later

    def _transfer_parts(self, minimal: Transport) -> list[TransferPart]:
        """Return the parts in which messages of a stage transfer are sent."""
        return self._parts.of(minimal, self._router.parts)

    def _shared_uses(self, transport: Transport) -> list[LinkUse]:
        """Return the uses of shared links, in cycles from the start of a phase."""
        return link_uses(transport, self._shared)

    def _sent(
        self, chunk: int, entry: TransportEntry, touched: Touched, at: int
    ) -> int:
        """Append a transfer that starts at a cycle, and return its end."""
        operator = len(self._entries[chunk])
        self._entries[chunk].append(entry._replace(start_cycle=at, operator=operator))
        self._occupancy.transfer(touched, at)
        return at + entry.transport.duration_cycles
