"""Chunk steps: what a chunk of a prompt does in each stage, in order."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from compiler.ir.timeline import (
    ComputeEntry,
    LoadEntry,
    Timeline,
    TimelineEntry,
    TransportEntry,
)
from sharding.operators.operators import Unit

# How the transfer between two stages, and the return of the token, are named.
STAGE_TRANSFER, TOKEN_RETURN = "hand_over", "way_back"


class ChunkStep(NamedTuple):
    """Step of a chunk in a stage: an operator or a transfer.

    Attributes
    ----------
    entry
        The entry of the chunk's own timeline.
    cycles
        Its length.
    loads
        Weights that load ahead of it.
    apart_cycles
        Of a product, the cycles since the product or lookup before it in the chunk's
        own timeline.
    """

    entry: TimelineEntry
    cycles: int
    loads: tuple[LoadEntry, ...] = ()
    apart_cycles: int = 0

    @property
    def lead_cycles(self) -> int:
        """Return how long before the step its first weights load."""
        begins = [load.start_cycle for load in self.loads]
        return self.entry.start_cycle - min(begins, default=self.entry.start_cycle)


def reads_memory(entry: TimelineEntry) -> bool:
    """Return whether an entry reads a matrix or a table from SRAM."""
    return isinstance(entry, ComputeEntry) and entry.unit in (Unit.MATMUL, Unit.LOOKUP)


def stage_steps(part: Timeline) -> list[list[ChunkStep]]:
    """Return the steps of a chunk in each stage, the transfer out of it as the last.

    Parameters
    ----------
    part
        The timeline of the chunk alone.
    """
    loads: dict[int, list[LoadEntry]] = {}
    for load in part.loads:
        loads.setdefault(load.operator, []).append(load)
    stages: list[list[ChunkStep]] = [[]]
    read_until = 0
    for entry in part.entries:
        cycles = entry_cycles(entry)
        apart = entry.start_cycle - read_until
        ahead = tuple(loads.get(entry.operator, ()))
        stages[-1].append(ChunkStep(entry, cycles, ahead, apart))
        if reads_memory(entry):
            read_until = entry.start_cycle + cycles
        if isinstance(entry, TransportEntry) and entry.name == STAGE_TRANSFER:
            stages.append([])
    return stages


def entry_cycles(entry: TimelineEntry) -> int:
    """Return the length of an entry."""
    if isinstance(entry, ComputeEntry):
        return int(entry.cycles.max())
    return entry.transport.duration_cycles


def stage_work(steps: list[ChunkStep]) -> tuple[int, int]:
    """Return the least cycles of a chunk in a stage: its operators and its exchanges.

    Transfers between stages are left out: how long they take depends on their paths.
    """
    computes = exchanges = 0
    for step in steps:
        entry = step.entry
        if isinstance(entry, ComputeEntry):
            computes += step.cycles
        elif entry.name not in (STAGE_TRANSFER, TOKEN_RETURN):
            exchanges += step.cycles
    return computes, exchanges


def one_at_a_time_cycles(parts: Sequence[Timeline]) -> int:
    """Return the least cycles of a prefill in which a stage holds a chunk at a time.

    A chunk does one step after the other. So some stage is at work for all chunks,
    after those before it for the first chunk, and before those after it for the last.

    Parameters
    ----------
    parts
        The timeline of each chunk alone.
    """
    rows = [[sum(stage_work(steps)) for steps in stage_steps(part)] for part in parts]
    # Chunks that answer nothing may end before the last stages.
    work = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
    for chunk, row in zip(work, rows, strict=True):
        chunk[: len(row)] = row
    before = np.cumsum(work[0]) - work[0]
    after = work[-1].sum() - np.cumsum(work[-1])
    return int((before + work.sum(axis=0) + after).max())
