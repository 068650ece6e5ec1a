"""Lanes of a pairing: groups of users that take turns on machine, link and devices.

A lane goes through its legs one after another. Each side does one thing at a time, in
the order in which lanes are ready: a group of chips, the devices together, and each
direction of the link. So with several lanes all of them are at work at a time.

Chips start at their own cycles and take what their program takes; devices take a mean
time with a drawn factor. What crosses the link is counted where it leaves and where it
arrives.
"""

from collections.abc import Sequence
from enum import IntEnum
from heapq import heapify, heappop, heappush
from typing import NamedTuple, final

import numpy as np

from serving.cycle_time import CycleTime
from specs.arrays import Ints
from specs.pairing import PairingSpec


class Side(IntEnum):
    """Where a leg of a pairing takes place."""

    MACHINE = 0
    TO_DEVICES = 1
    DEVICES = 2
    TO_MACHINE = 3


LINKS = (Side.TO_DEVICES, Side.TO_MACHINE)


class Leg(NamedTuple):
    """What a lane does next in a pairing.

    Attributes
    ----------
    side
        Where.
    amount
        Cycles on the machine, mean picoseconds on the devices, bytes on the link.
    unit
        Group of chips, of those on the machine.
    pitch
        Cycles after which the group may begin with another lane, if its stages work in
        a pipeline; all of `amount` if 0.
    """

    side: Side
    amount: int
    unit: int = 0
    pitch: int = 0


@final
class LaneRun(NamedTuple):
    """What lanes of a pairing did; arrays of shape ``(lanes, legs)``.

    Attributes
    ----------
    legs
        The legs of every lane.
    ready_ps, start_ps, free_ps, end_ps
        When the lane could begin a leg, when it began, when its side was free for
        another lane, and when the lane could go on.
    sent_bytes, received_bytes
        Bytes that left each side of the link, and that arrived, by `Side`.
    """

    legs: tuple[Leg, ...]
    ready_ps: Ints
    start_ps: Ints
    free_ps: Ints
    end_ps: Ints
    sent_bytes: dict[Side, int]
    received_bytes: dict[Side, int]

    def busy_share(self, side: Side, begin_ps: int, end_ps: int) -> float:
        """Return the share of a span in which a side of the pairing is at work.

        Of several groups of chips it is the mean.
        """
        of_side = [number for number, leg in enumerate(self.legs) if leg.side is side]
        units = len({self.legs[number].unit for number in of_side})
        if end_ps <= begin_ps or not units:
            return 0.0
        start = np.clip(self.start_ps[:, of_side], begin_ps, end_ps)
        free = np.clip(self.free_ps[:, of_side], begin_ps, end_ps)
        return float((free - start).sum() / (end_ps - begin_ps) / units)

    def step_ps(self, legs_per_step: int, warm_up: int = 1) -> float:
        """Return the mean time of a step of a lane in the pairing, in ps.

        Parameters
        ----------
        legs_per_step
            Legs of a step.
        warm_up
            First steps that are not counted, in which lanes fall into turn.
        """
        ends = self.end_ps[:, legs_per_step - 1 :: legs_per_step]
        steps = ends.shape[1] - warm_up
        return float((ends[:, -1] - ends[:, warm_up - 1]).mean() / steps)


def run_lanes(
    legs: Sequence[Leg],
    pairing: PairingSpec,
    cycle_time: CycleTime,
    *,
    seed: int = 1,
    lanes: int | None = None,
) -> LaneRun:
    """Return what the lanes of a pairing do, from the time 0 on.

    Parameters
    ----------
    legs
        Legs of every lane, in order.
    pairing
        Link, jitter of the devices, and lanes.
    cycle_time
        Cycle of the machine's clock.
    seed
        Seed of the jitter.
    lanes
        Number of lanes; that of `pairing` if None.
    """
    count = pairing.lanes if lanes is None else lanes
    shape = (count, len(legs))
    # The factors belong to lanes and legs, not to the order in which these happen.
    random = np.random.default_rng(np.random.SeedSequence(seed))
    sigma = pairing.jitter
    factors = random.lognormal(-(sigma**2) / 2, sigma, shape)
    ready, start, free, end = (np.zeros(shape, dtype=np.int64) for _ in range(4))
    sent, received = dict.fromkeys(LINKS, 0), dict.fromkeys(LINKS, 0)
    # When each side is free: groups of chips in cycles, all others in ps.
    free_at: dict[tuple[Side, int], int] = {}
    queue = [(0, lane, 0) for lane in range(count)]
    heapify(queue)
    while queue:
        now, lane, number = heappop(queue)
        if number and legs[number - 1].side in LINKS:
            received[legs[number - 1].side] += legs[number - 1].amount
        if number == len(legs):
            continue
        leg = legs[number]
        key = leg.side, leg.unit
        if leg.side is Side.MACHINE:
            cycle = max(cycle_time.first_cycle(now), free_at.get(key, 0))
            free_at[key] = cycle + (leg.pitch or leg.amount)
            begin, done = cycle_time.ps(cycle), cycle_time.ps(cycle + leg.amount)
            freed = cycle_time.ps(free_at[key])
        else:
            begin = max(now, free_at.get(key, 0))
            if leg.side in LINKS:
                freed = begin + pairing.link.occupied_ps(leg.amount)
                done = freed + pairing.link.latency_ps
                sent[leg.side] += leg.amount
            else:
                done = freed = begin + round(leg.amount * float(factors[lane, number]))
            free_at[key] = freed
        for table, value in ((ready, now), (start, begin), (free, freed), (end, done)):
            table[lane, number] = value
        heappush(queue, (done, lane, number + 1))
    return LaneRun(tuple(legs), ready, start, free, end, sent, received)
