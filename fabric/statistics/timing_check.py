"""Timing check of an iteration: slack, late trains, and a hash of all times."""

import hashlib
from dataclasses import dataclass
from typing import final

import numpy as np

from fabric.clocks.random_walk import RandomWalk
from fabric.links.slack import UNLIMITED_PS, least_slack_ps, tail_cycles
from fabric.results.iteration_log import NEVER
from fabric.runtime.segment import Segment
from specs.arrays import Ints


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TimingCheck:
    """Slack and late trains of an iteration, with a hash of its times.

    Parameters
    ----------
    begin_ps, end_ps
        Global time of its first cycle and of the first after it.
    slack_ps, late
        Least slack of each train, and the trains that were late.
    least_ps
        Least slack on each link that the program uses, ascending by link.
    digest
        Hash of all times from `begin_ps` on.
    """

    begin_ps: int
    end_ps: int
    slack_ps: Ints
    late: Ints
    least_ps: Ints
    digest: bytes


@final
class TimingChecker:
    """Timing checks of the iterations of a segment.

    Parameters
    ----------
    segment
        Segment whose iterations are checked.
    """

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        on_link = segment.program.trains.link
        self._by_link = np.argsort(on_link)
        self._link_begin = np.flatnonzero(np.diff(on_link[self._by_link], prepend=-1))
        trains = segment.program.trains
        self._tail_cycles = tail_cycles(trains.vectors, segment.machine)
        self._take_step = segment.layout.take_step
        self._send_step = segment.layout.send_step
        self._sender = segment.topology.source[trains.link].astype(np.int64)
        self._taker = segment.topology.target[trains.link].astype(np.int64)
        self._clocks = segment.crystals.clocks
        now = np.zeros(segment.topology.chips, dtype=np.int64)
        period_as = segment.crystals.clocks.periods_as(
            np.arange(segment.topology.chips), now
        )
        drift_as = period_as[self._taker] - period_as[self._sender]
        self._tail_ps = least_slack_ps(0 * self._taker, self._tail_cycles, drift_as)

    def check(
        self, step_ps: Ints, arrival_ps: Ints, sequence: int, iteration: int
    ) -> TimingCheck:
        """Return the timing check of an iteration.

        Parameters
        ----------
        step_ps, arrival_ps
            Global time of each step, and of each train's arrival.
        sequence, iteration
            Number of the sequence, and of the iteration within the segment.
        """
        segment = self._segment
        slack_ps = self._least_ps(step_ps, arrival_ps)
        begin_ps, end_ps = (
            int(step_ps[step])
            for step in (segment.layout.begin_step, segment.layout.end_step)
        )
        # A stopped leader marks neither; then the scheduled times stand in.
        base = segment.dispatcher.base_cycle(sequence, iteration)
        if begin_ps == NEVER:
            begin_ps = segment.scheduled_ps(base)
        if end_ps == NEVER:
            end_ps = segment.scheduled_ps(base + segment.program.token_cycles)
        state = hashlib.sha256((step_ps - begin_ps).tobytes())
        # Slack follows from these times.
        state.update((arrival_ps - begin_ps).tobytes())
        return TimingCheck(
            begin_ps=begin_ps,
            end_ps=end_ps,
            slack_ps=slack_ps,
            late=np.flatnonzero(slack_ps < 0),
            least_ps=np.minimum.reduceat(slack_ps[self._by_link], self._link_begin)
            if len(slack_ps)
            else slack_ps,
            digest=state.digest(),
        )

    def _least_ps(self, step_ps: Ints, arrival_ps: Ints) -> Ints:
        """Return the least slack of each train, shape ``(trains,)``."""
        take_ps = step_ps[self._take_step]
        tail_ps = self._tail_ps
        if self._clocks.random_walk is not None:
            # A change of frequency affects the trains that begin after it.
            drift_as = self._random_walk_drift_as(step_ps, self._clocks.random_walk)
            tail_ps = least_slack_ps(0 * take_ps, self._tail_cycles, drift_as)
        slack: Ints = take_ps - arrival_ps + tail_ps
        slack[(take_ps == NEVER) | (arrival_ps == NEVER)] = UNLIMITED_PS
        return slack

    def _random_walk_drift_as(self, step_ps: Ints, walk: RandomWalk) -> Ints:
        """Return the receiver's period less the sender's of each train, in as."""
        done = step_ps[step_ps != NEVER]
        if not len(done):
            return 0 * self._taker
        chips = np.arange(self._segment.topology.chips)
        first, last = (
            walk.stretches_at(chips, np.full(len(chips), time))
            for time in (done.min(), done.max())
        )
        period_as = walk.periods_of(chips, first)
        if (first == last).all():
            drift_as: Ints = period_as[self._taker] - period_as[self._sender]
            return drift_as
        taken, sent = step_ps[self._take_step], step_ps[self._send_step]
        if (last > first + 1).any():
            drift_as = walk.periods_as(self._taker, taken)
            return drift_as - walk.periods_as(self._sender, sent)
        # Within a token each crystal changes once at most, at its own time.
        changes_ps = walk.begins_ps(first + 1, chips)
        both_as = np.stack([period_as, walk.periods_of(chips, first + 1)])
        later = (taken >= changes_ps[self._taker]).astype(np.intp)
        earlier = (sent >= changes_ps[self._sender]).astype(np.intp)
        return both_as[later, self._taker] - both_as[earlier, self._sender]
