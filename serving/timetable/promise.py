"""Promise: an admitted request, and what is left of it if it is cut short."""

from typing import NamedTuple

from serving.frame import FrameTimes
from serving.timetable.admission import Placed, Work
from serving.timetable.ticket import Ticket
from specs.units import ceil_div


class Promise(NamedTuple):
    """A request that has been admitted.

    Attributes
    ----------
    ticket, work
        Its future, and what it asks of the frame.
    drained_cycle
        When its last pass has left the pipeline.
    """

    ticket: Ticket
    work: Work
    drained_cycle: int


def promised(times: FrameTimes, ticket: Ticket, work: Work) -> Promise:
    """Return a request with when all of its passes are done."""
    placed = ticket.placed
    drained = max(placed.chosen_cycle, placed.free_cycle)
    if work.turns:
        drained = max(drained, _turns_end(times, placed, work.turns))
    return Promise(ticket, work, drained)


def cut_short(
    times: FrameTimes, promise: Promise, now: int, *, own_slot: bool
) -> Promise:
    """Return a request that has started as it is if its next pass never starts.

    Parameters
    ----------
    times
        The frame.
    promise
        The request.
    now
        Cycle from which on none of its passes starts, after its first one.
    own_slot
        Whether its prompt passes through its own slot instead of windows.
    """
    ticket, work, _ = promise
    placed = ticket.placed
    begun = ceil_div(now - placed.turn_cycle, times.frame_cycles)
    if work.turns and begun > 0:
        last = placed.turn_cycle + (begun - 1) * times.frame_cycles
        freed = min(placed.free_cycle, last + times.slot_cycles)
        drained = _turns_end(times, placed, min(begun, work.turns))
    else:
        starts = [
            _pass_start(times, ticket, chunk, own_slot=own_slot)
            for chunk in range(work.chunks)
        ]
        begun = sum(start < now for start in starts)
        takes = times.slot_cycles if own_slot else times.window_cycles
        freed = min(placed.free_cycle, starts[begun - 1] + takes)
        # What has begun goes through all stages, as far behind as any chunk.
        behind = 0 if own_slot else times.behind_windows
        late = _pass_start(times, ticket, begun - 1 + behind, own_slot=own_slot)
        drained = max(freed, late + times.pass_cycles)
        work = work._replace(chunks=begun)
    cut = ticket._replace(placed=placed._replace(free_cycle=freed))
    return Promise(cut, work, drained)


def _turns_end(times: FrameTimes, placed: Placed, turns: int) -> int:
    """Return when the last of some turns of a request is done."""
    last = placed.turn_cycle + (turns - 1) * times.frame_cycles
    return last + max(times.token_cycles, times.slot_cycles)


def _pass_start(
    times: FrameTimes, ticket: Ticket, chunk: int, *, own_slot: bool
) -> int:
    """Return when a chunk of a request starts."""
    admitted, origin = ticket.placed.admitted_cycle, ticket.origin_cycle
    if own_slot:
        return admitted + chunk * times.frame_cycles
    return origin + times.window_start(times.window_at(admitted - origin) + chunk)
