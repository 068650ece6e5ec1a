"""When a program that never deskews breaks, in closed form for the crystals drawn.

Two crystals that are apart by a constant rate use up the slack of each train between
them, or fill the FIFO that it waits in, by the same amount in each period. So the first
period in which a train is late, or finds the FIFO full, follows from its slack in the
first one.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from chip.program import Opcode, Program, Trains
from fabric.results.result import RunResult
from specs.arrays import Floats, Ints
from specs.link import LinkSpec
from specs.machine import MachineSpec
from specs.units import BITS_PER_BYTE, PPM, PS_PER_NS, PS_PER_S
from topologies.link_samples import measured_row
from topologies.topology import Topology

_NEVER = 2**62
# Periods that are looked through at a time for the first one that jitter breaks.
_PERIODS_AT_ONCE = 16


class ClockViolation(NamedTuple):
    """The first vector that breaks the schedule.

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


class FreeRunningClocks(NamedTuple):
    """A program whose chips run free, and what its first token was like.

    Attributes
    ----------
    program, topology, machine
        What runs where; one sequence, no deskews.
    hz
        Frequency of each chip's crystal, shape ``(chips,)``.
    slack_ps
        Slack of each train's first vector in the first token, without jitter, shape
        ``(trains,)``.
    """

    program: Program
    topology: Topology
    machine: MachineSpec
    hz: Floats
    slack_ps: Floats

    @property
    def period_ps(self) -> Floats:
        """Return the period of each chip's crystal, in ps."""
        return PS_PER_S / self.hz

    @property
    def loss_ps(self) -> Floats:
        """Return by how much each train's slack shrinks in a cycle, in ps."""
        link = self.program.trains.link
        period_ps = self.period_ps
        loss: Floats = (
            period_ps[self.topology.source[link]]
            - period_ps[self.topology.target[link]]
        )
        return loss


def free_run(
    program: Program, topology: Topology, machine: MachineSpec, result: RunResult
) -> FreeRunningClocks:
    """Return what a run without jitter says about crystals and slack.

    Parameters
    ----------
    program, topology, machine
        What ran.
    result
        The run, with a record of its first iteration.
    """
    record = next(record for record in result.records if record.iteration == 0)
    code = program.instructions
    takes = np.flatnonzero(code.opcode == Opcode.RECEIVE)
    taken_ps = np.zeros(len(program.trains), dtype=np.int64)
    taken_ps[code.train[takes]] = record.instruction_ps[takes]
    return FreeRunningClocks(
        program,
        topology,
        machine,
        machine.chip.clock_hz * (1 + result.chips.offset_ppm / PPM),
        (taken_ps - record.arrival_ps).astype(np.float64),
    )


def without_deskews(program: Program) -> Program:
    """Return a program that is the same but never deskews."""
    none = np.zeros(0, dtype=np.int64)
    deskews = replace(
        program.deskews,
        chip=none.astype(np.int32),
        start_cycle=none,
        interval_cycles=0,
    )
    return replace(program, deskews=deskews)


def first_broken(free: FreeRunningClocks) -> ClockViolation | None:
    """Return what breaks first without jitter, None if no crystals drift apart.

    A train's least slack is that of its last vector if slack shrinks along it.
    """
    found = [*_first_overflow(free), *_first_underflow(free)]
    # Of both at one cycle, the overflow, as in a run's list of violations.
    return min(found, key=lambda broken: broken.cycle, default=None)


def underflow_quantiles(
    free: FreeRunningClocks, quantiles: tuple[float, ...]
) -> tuple[ClockViolation, ...]:
    """Return when the first train is late with jitter, in so many of all draws.

    Each train has its own jitter, a clipped normal. The odds that none was late so far
    are a product over all trains so far.

    Parameters
    ----------
    free
        Crystals, and slack without jitter; the machine says what jitter there is.
    quantiles
        Odds that a train was late by then, ascending, each below 1.

    Returns
    -------
    tuple
        One for each quantile; nothing if slack shrinks nowhere.
    """
    trains, loss_ps = free.program.trains, free.loss_ps
    # Only where slack shrinks can a vector come late that the first token's did not.
    rows = np.flatnonzero(loss_ps > 0)
    if not len(rows):
        return ()
    rows = rows[np.argsort(trains.receive_cycle[rows], kind="stable")]
    slack_ps, period = _least_slack_ps(free)[rows], free.program.period_cycles
    found: list[ClockViolation] = []
    log_odds, begin = 0.0, 0
    while len(found) < len(quantiles):
        periods = np.arange(begin, begin + _PERIODS_AT_ONCE)
        left_ps = slack_ps - periods[:, None] * (period * loss_ps[rows])
        with np.errstate(divide="ignore"):
            log_in_time = np.log(_in_time(free, rows, left_ps)).ravel()
        so_far = log_odds + np.cumsum(log_in_time)
        for quantile in quantiles[len(found) :]:
            late = np.flatnonzero(so_far <= np.log1p(-quantile))
            if not len(late):
                break
            number, row = divmod(int(late[0]), len(rows))
            found.append(_broken(free, "underflow", int(rows[row]), begin + number))
        log_odds, begin = float(so_far[-1]), begin + _PERIODS_AT_ONCE
    return tuple(found)


def _in_time(free: FreeRunningClocks, trains: Ints, slack_ps: Floats) -> Floats:
    """Return the odds that the jitter of each train is no more than its slack.

    Parameters
    ----------
    free
        What runs, and what jitter its links have.
    trains, slack_ps
        Trains, and their slack in some periods, shape ``(periods, trains)``.
    """
    link = free.machine.link
    span_ps = free.machine.cycles_to_ps(link.jitter_cycles)
    if span_ps == 0:
        return (slack_ps >= 0).astype(np.float64)
    mean, deviation = np.array(link.jitter_rows).T
    row = measured_row(free.topology, len(mean))[free.program.trains.link[trains]]
    far = (slack_ps / span_ps - mean[row]) / deviation[row]
    odds: Floats = np.where(slack_ps >= span_ps, 1.0, ndtr(far))
    return np.where(slack_ps < 0, 0.0, odds)


def _least_slack_ps(free: FreeRunningClocks) -> Floats:
    """Return the slack of each train's vector that has least, in the first token."""
    tail_cycles = _tail_cycles(free.program.trains, free.machine)
    least: Floats = free.slack_ps - np.maximum(0, tail_cycles * free.loss_ps)
    return least


def _first_underflow(free: FreeRunningClocks) -> list[ClockViolation]:
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
    """Return the first train that finds its FIFO full.

    The FIFO is full when, before a train's first vector is taken, as many vectors have
    come behind it as the FIFO has places. That takes a wait which follows from when
    they are sent; what the run names is the train of the vector too many.
    """
    trains, period = free.program.trains, free.program.period_cycles
    link = free.machine.link
    period_ps = free.period_ps[free.topology.source[trains.link]]
    vector_ps = _vector_ps(link)
    names = np.full(len(trains), -1, dtype=np.int64)
    later = np.zeros(len(trains), dtype=np.int64)
    full_ps = np.zeros(len(trains))
    order = np.lexsort((trains.wire_cycle, trains.link))
    for rows in np.split(order, np.flatnonzero(np.diff(trains.link[order])) + 1):
        ahead = np.cumsum(trains.vectors[rows]) - trains.vectors[rows]
        turns, within = np.divmod(
            ahead + link.fifo_vectors, int(trains.vectors[rows].sum())
        )
        which = np.searchsorted(ahead, within, "right") - 1
        names[rows], later[rows] = rows[which], turns
        sent = turns * period + trains.wire_cycle[rows[which]] - trains.wire_cycle[rows]
        full_ps[rows] = sent * period_ps[rows] + (within - ahead[which]) * vector_ps
    growth_ps = -period * free.loss_ps
    grows = growth_ps > 0
    room_ps = full_ps[grows] - free.slack_ps[grows]
    periods = np.maximum(0, np.ceil(room_ps / growth_ps[grows])).astype(np.int64)
    return _earliest(free, "overflow", names[grows], periods + later[grows])


def _earliest(
    free: FreeRunningClocks, kind: str, trains: Ints, periods: Ints
) -> list[ClockViolation]:
    """Return the earliest of the trains that break in some period, if there is one."""
    period = free.program.period_cycles
    possible = np.flatnonzero(periods < _NEVER // period)
    if not len(possible):
        return []
    trains, periods = trains[possible], periods[possible]
    cycles = periods * period + free.program.trains.receive_cycle[trains]
    first = int(cycles.argmin())
    return [_broken(free, kind, int(trains[first]), int(periods[first]))]


def _broken(
    free: FreeRunningClocks, kind: str, train: int, iteration: int
) -> ClockViolation:
    program, link = free.program, int(free.program.trains.link[train])
    cycle = iteration * program.period_cycles + int(program.trains.receive_cycle[train])
    return ClockViolation(kind, link, cycle, _received_ps(free, link, cycle))


def _received_ps(free: FreeRunningClocks, link: int, cycle: int) -> int:
    """Return how long a number of cycles takes the chip that a link ends at, in ps."""
    return round(cycle * float(free.period_ps[free.topology.target[link]]))


def first_seen(free: FreeRunningClocks, result: RunResult) -> ClockViolation | None:
    """Return the first violation of a run in the terms of the closed form."""
    period = free.program.period_cycles
    found = [
        ClockViolation(
            each.kind,
            each.link,
            cycle := each.iteration * period + each.cycle,
            _received_ps(free, each.link, cycle),
        )
        for each in sorted(result.violations)
    ]
    return min(found, key=lambda broken: broken.cycle, default=None)


def _tail_cycles(trains: Trains, machine: MachineSpec) -> Ints:
    """Return the cycles from each train's first vector to its last."""
    offsets = [
        machine.link.vector_offset_cycles(index, machine.chip.clock_hz)
        for index in range(int(trains.vectors.max(initial=1)))
    ]
    return np.array(offsets, dtype=np.int64)[trains.vectors - 1]


def _vector_ps(link: LinkSpec) -> float:
    return link.wire_bytes * BITS_PER_BYTE * PS_PER_NS / link.rate_gbps
