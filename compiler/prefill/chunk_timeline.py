"""Chunk timeline: the scheduled chunks of a prompt as one timeline."""

from collections.abc import Sequence

from compiler.ir.timeline import LoadEntry, Timeline, TimelineEntry, TransportEntry
from compiler.ir.transfers import CycleBreakdown
from compiler.prefill.chunk_steps import ChunkStep, entry_cycles

_Stages = Sequence[Sequence[ChunkStep]]


def chunk_timeline(
    parts: Sequence[Timeline],
    steps: Sequence[_Stages],
    entries: Sequence[Sequence[TimelineEntry]],
    loads: Sequence[Sequence[LoadEntry]],
) -> Timeline:
    """Return all scheduled chunks as one timeline.

    All cycles that are not the last chunk's own count as waiting.

    Parameters
    ----------
    parts
        The timeline of each chunk alone.
    steps
        Its steps in each stage.
    entries, loads
        Its entries and weight loads where they are scheduled, numbered by chunk.
    """
    merged: list[TimelineEntry] = []
    moved: list[LoadEntry] = []
    for own, ahead in zip(entries, loads, strict=True):
        first = len(merged)
        merged += [each._replace(operator=each.operator + first) for each in own]
        moved += [each._replace(operator=each.operator + first) for each in ahead]
    spent = parts[-1].spent._replace(deskew=0)
    end = max(each.start_cycle + entry_cycles(each) for each in merged)
    hops = [0] * len(steps[-1])
    for part in parts:
        for stage, more in enumerate(part.stage_hops):
            hops[stage] += more
    return Timeline(
        entries=tuple(merged),
        loads=tuple(moved),
        spent=spent.plus(CycleBreakdown(wait=end - spent.total)),
        stage_cycles=_stage_cycles(steps, entries),
        stage_hops=tuple(hops),
        trains=sum(
            len(each.transport.link)
            for each in merged
            if isinstance(each, TransportEntry)
        ),
    )


def _stage_cycles(
    steps: Sequence[_Stages], entries: Sequence[Sequence[TimelineEntry]]
) -> tuple[int, ...]:
    """Return the cycles in which each stage holds a chunk."""
    held = [0] * len(steps[-1])
    until = [0] * len(held)
    for stages, own in zip(steps, entries, strict=True):
        row, entered = 0, own[0].start_cycle
        for number, done in enumerate(stages):
            row += len(done)
            last = own[row - 1]
            end = last.start_cycle + entry_cycles(last)
            held[number] += max(0, end - max(entered, until[number]))
            until[number] = max(until[number], end)
            entered = last.start_cycle
    return tuple(held)
