"""Deskew interval: how often chips deskew for the least guard bands and stalls."""

from compiler.cost.guard_band import Tolerance
from compiler.ir.timeline import Timeline, TransportEntry
from specs.errors import ScheduleError
from specs.units import ceil_div

# Numbers of deskews within the slowest stage that are tried against a wider guard.
_MOST_WITHIN_A_STAGE = 64


def best_deskew_interval(timeline: Timeline, tolerance: Tolerance) -> int:
    """Return the deskew interval to schedule for the least guard bands and stalls.

    A long interval widens the guard of every hop, a short one stalls the chips at work.
    Between two tokens a stage deskews at no cost.

    Parameters
    ----------
    timeline
        The token without deskews.
    tolerance
        The machine's clocks.

    Returns
    -------
    int
        Cycles, 0 if clocks do not drift and nothing has to be deskewed.

    Raises
    ------
    ScheduleError
        If clocks drift so much that no interval holds a collective and a deskew.
    """
    if tolerance.relative_ppm == 0:
        return 0
    epoch = tolerance.machine.hac.epoch_cycles
    longest = max(timeline.stage_cycles)
    hops = sum(timeline.stage_hops)
    longest_send = _longest_send(timeline)
    best_cost, best = None, 0
    for deskews in range(_MOST_WITHIN_A_STAGE):
        # The interval covers the time from a stage's deskew to the end of its last hop.
        span = ceil_div(longest, deskews + 1) + 4 * epoch
        interval = ceil_div(span + longest_send, epoch) * epoch
        if interval > tolerance.longest_interval_cycles:
            continue
        stalls = sum(cycles // interval for cycles in timeline.stage_cycles)
        cost = stalls * epoch + hops * tolerance.drift_cycles(interval)
        if best_cost is None or cost < best_cost:
            best_cost, best = cost, interval
    if best_cost is None:
        return _longest_interval(timeline, tolerance)
    return best


def _longest_send(timeline: Timeline) -> int:
    """Return the cycles of the longest phase of messages."""
    return max(
        (
            entry.transport.duration_cycles
            for entry in timeline.entries
            if isinstance(entry, TransportEntry)
        ),
        default=0,
    )


def _longest_interval(timeline: Timeline, tolerance: Tolerance) -> int:
    """Return the longest interval that drift allows, or say that it is too short."""
    epoch = tolerance.machine.hac.epoch_cycles
    limit = tolerance.longest_interval_cycles // epoch * epoch
    needed = _longest_send(timeline) + 2 * epoch
    if limit < needed:
        ppm = tolerance.machine.clock.drift_ppm
        raise ScheduleError(
            f"crystals of +/-{ppm:g} ppm drift half an epoch in "
            f"{tolerance.longest_interval_cycles} cycles, but a collective and a "
            f"deskew take {needed}: no interval works; use steadier crystals "
            f"(clock.drift_ppm={ppm * limit / needed:.3g} or less) or a longer "
            f"hac.epoch_cycles"
        )
    return limit
