"""First violation of chips whose clocks run free, in closed form for drawn crystals.

The drift between two crystals is constant. In each period it takes the same amount from
the slack of every train between them, or adds it to the wait in the FIFO. So the first
period in which a train is late, or finds the FIFO full, follows from its slack in the
first period.
"""

from typing import NamedTuple

import numpy as np

from chip.program import Trains
from experiments.drift.free_running_clocks import FreeRunningClocks
from fabric.links.latency import Jitter
from fabric.results.result import RunResult
from specs.arrays import Floats, Ints
from specs.machine import MachineSpec

_NEVER = 2**62
# Periods evaluated at a time, in search of the first that jitter breaks.
_PERIODS_AT_ONCE = 16


class ClockViolation(NamedTuple):
    """Violation of the schedule by the first vector that is late or overflows a FIFO.

    Attributes
    ----------
    kind
        ``underflow`` or ``overflow``.
    link
        Directed link.
    cycle
        Program cycle from the start of the run at which its train is received.
    time_ps
        The same in ps, by the receiver's crystal.
    """

    kind: str
    link: int
    cycle: int
    time_ps: int


def first_violation(free: FreeRunningClocks) -> ClockViolation | None:
    """Return the first violation by drift without deskews and jitter, or None.

    It is None if no crystals drift apart.
    If the slack of a train shrinks, its last vector has the least of it.
    """
    violations = [*_first_overflow(free), *_first_underflow(free)]
    # Of two in the same cycle the overflow, as in a run's list of violations.
    return min(violations, key=lambda violation: violation.cycle, default=None)


def underflow_quantiles(
    free: FreeRunningClocks, quantiles: tuple[float, ...]
) -> tuple[ClockViolation, ...]:
    """Return quantiles of the first underflow by drift, with jitter.

    Each train has its own jitter. The odds that no train was late by
    some cycle are a product over all trains up to it.

    Parameters
    ----------
    free
        Crystals, and slack without jitter; its machine has the jitter.
    quantiles
        Odds that a train was late by then, in ascending order, each below 1.

    Returns
    -------
    tuple
        A violation for each quantile; empty if no slack shrinks.
    """
    trains, loss_ps = free.program.trains, free.loss_ps
    # Vectors of the first token are in time, so only a train whose slack shrinks can
    # be late afterwards.
    rows = np.flatnonzero(loss_ps > 0)
    if not len(rows):
        return ()
    rows = rows[np.argsort(trains.receive_cycle[rows], kind="stable")]
    slack_ps, period = _least_slack_ps(free)[rows], free.program.period_cycles
    violations: list[ClockViolation] = []
    log_odds, begin = 0.0, 0
    while len(violations) < len(quantiles):
        periods = np.arange(begin, begin + _PERIODS_AT_ONCE)
        left_ps = slack_ps - periods[:, None] * (period * loss_ps[rows])
        with np.errstate(divide="ignore"):
            log_in_time = np.log(_in_time(free, rows, left_ps)).ravel()
        so_far = log_odds + np.cumsum(log_in_time)
        for quantile in quantiles[len(violations) :]:
            late = np.flatnonzero(so_far <= np.log1p(-quantile))
            if not len(late):
                break
            number, row = divmod(int(late[0]), len(rows))
            violations.append(
                _violation(free, "underflow", int(rows[row]), begin + number)
            )
        log_odds, begin = float(so_far[-1]), begin + _PERIODS_AT_ONCE
    return tuple(violations)


def _in_time(free: FreeRunningClocks, trains: Ints, slack_ps: Floats) -> Floats:
    """Return the odds that the jitter of each drifting train is at most its slack.

    Parameters
    ----------
    free
        The program, and the jitter of its links.
    trains, slack_ps
        Trains, and their slack in some periods, shape ``(periods, trains)``.
    """
    on = free.program.trains.link[trains]
    return 1 - Jitter(free.machine, free.topology).odds_beyond(on, slack_ps)


def _least_slack_ps(free: FreeRunningClocks) -> Floats:
    """Return each train's least slack in the first token, before drift adds up."""
    tail_cycles = _tail_cycles(free.program.trains, free.machine)
    least: Floats = free.slack_ps - np.maximum(0, tail_cycles * free.loss_ps)
    return least


def _first_underflow(free: FreeRunningClocks) -> list[ClockViolation]:
    """Return the first train late by drift, as a list of one; empty if none ever is."""
    trains, period = free.program.trains, free.program.period_cycles
    per_period_ps = period * free.loss_ps
    slack_ps = _least_slack_ps(free)
    shrinks = (per_period_ps > 0) | (slack_ps < 0)
    periods = np.full(len(trains), _NEVER // period)
    with np.errstate(divide="ignore"):
        first = np.floor(slack_ps[shrinks] / per_period_ps[shrinks]) + 1
    periods[shrinks] = np.where(slack_ps[shrinks] < 0, 0, first)
    return _earliest(free, "underflow", np.arange(len(trains)), periods)


def _first_overflow(free: FreeRunningClocks) -> list[ClockViolation]:
    """Return the first overflow by drift, as a list of one; empty if there is none.

    A FIFO overflows when, before the first vector of a train is received, as many
    vectors have arrived after it as the FIFO has places. The wait at which that
    happens follows from when they are sent. A run reports the train of the vector
    that finds no place.
    """
    trains, period = free.program.trains, free.program.period_cycles
    link = free.machine.link
    period_ps = free.period_ps[free.topology.source[trains.link]]
    vector_ps = float(free.machine.line.vector_ps)
    reported = np.full(len(trains), -1, dtype=np.int64)
    later = np.zeros(len(trains), dtype=np.int64)
    full_ps = np.zeros(len(trains))
    order = np.lexsort((trains.wire_cycle, trains.link))
    for rows in np.split(order, np.flatnonzero(np.diff(trains.link[order])) + 1):
        ahead = np.cumsum(trains.vectors[rows]) - trains.vectors[rows]
        periods_on, within = np.divmod(
            ahead + link.fifo_vectors, int(trains.vectors[rows].sum())
        )
        which = np.searchsorted(ahead, within, "right") - 1
        reported[rows], later[rows] = rows[which], periods_on
        sent = (
            periods_on * period
            + trains.wire_cycle[rows[which]]
            - trains.wire_cycle[rows]
        )
        full_ps[rows] = sent * period_ps[rows] + (within - ahead[which]) * vector_ps
    growth_ps = -period * free.loss_ps
    grows = growth_ps > 0
    room_ps = full_ps[grows] - free.slack_ps[grows]
    periods = np.maximum(0, np.ceil(room_ps / growth_ps[grows])).astype(np.int64)
    return _earliest(free, "overflow", reported[grows], periods + later[grows])


def _earliest(
    free: FreeRunningClocks, kind: str, trains: Ints, periods: Ints
) -> list[ClockViolation]:
    """Return the earliest violation by drift of trains and their broken periods."""
    period = free.program.period_cycles
    possible = np.flatnonzero(periods < _NEVER // period)
    if not len(possible):
        return []
    trains, periods = trains[possible], periods[possible]
    cycles = periods * period + free.program.trains.receive_cycle[trains]
    first = int(cycles.argmin())
    return [_violation(free, kind, int(trains[first]), int(periods[first]))]


def _violation(
    free: FreeRunningClocks, kind: str, train: int, iteration: int
) -> ClockViolation:
    """Return the violation by drift of a train in an iteration."""
    program, link = free.program, int(free.program.trains.link[train])
    cycle = iteration * program.period_cycles + int(program.trains.receive_cycle[train])
    return ClockViolation(kind, link, cycle, _received_ps(free, link, cycle))


def _received_ps(free: FreeRunningClocks, link: int, cycle: int) -> int:
    """Return the time of a number of cycles on a link's drifting receiver, in ps."""
    return round(cycle * float(free.period_ps[free.topology.target[link]]))


def simulated_violation(
    free: FreeRunningClocks, result: RunResult
) -> ClockViolation | None:
    """Return the first violation by drift in a run, to compare with the closed form."""
    period = free.program.period_cycles
    violations = [
        ClockViolation(
            each.kind,
            each.link,
            cycle := each.iteration * period + each.cycle,
            _received_ps(free, each.link, cycle),
        )
        for each in sorted(result.violations)
    ]
    return min(violations, key=lambda violation: violation.cycle, default=None)


def _tail_cycles(trains: Trains, machine: MachineSpec) -> Ints:
    """Return the cycles of drift between the first and last vector of each train."""
    offsets = [
        machine.line.offset_cycles(index)
        for index in range(int(trains.vectors.max(initial=1)))
    ]
    return np.array(offsets, dtype=np.int64)[trains.vectors - 1]
