"""Stage occupancy: when chips of each stage are at work, and when they can deskew.

Chips deskew while they do nothing at all. With several chunks in flight a stage always
has something to do, so that it must be given a moment of rest within every interval.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import final

import numpy as np

from compiler.ir.transfers import Transport
from specs.arrays import Ints
from specs.errors import ScheduleError
from topologies.topology import Topology

# First and last cycle, from the start of a transfer, at which chips of each stage work
# for it.
Touched = Mapping[int, tuple[int, int]]


@final
class _Rest:
    """Last rest of a stage, and the end of all its work so far, in cycles."""

    def __init__(self, stall_cycles: int) -> None:
        self.begin, self.end = -stall_cycles, 0
        self.work_end = -stall_cycles


@final
class StageOccupancy:
    """Occupancy of stages by operators and transfers, with their moments of rest.

    Parameters
    ----------
    topology
        The topology.
    stages
        Chips of each stage. Any other chip counts as a stage of its own.
    interval_cycles
        Longest time from the start of a rest to the end of a vector that relies on it,
        0 if chips never deskew.
    stall_cycles
        Length of a rest.
    """

    def __init__(
        self,
        topology: Topology,
        stages: list[Ints],
        interval_cycles: int,
        stall_cycles: int,
    ) -> None:
        self.stage_of = len(stages) + np.arange(topology.chips)
        for number, chips in enumerate(stages):
            self.stage_of[chips] = number
        self._source = self.stage_of[topology.source]
        self._target = self.stage_of[topology.target]
        self._interval = interval_cycles
        self._stall = stall_cycles if interval_cycles else 0
        self._rests: defaultdict[int, _Rest] = defaultdict(lambda: _Rest(self._stall))

    def rested_cycle(self, stage: int) -> int:
        """Return the first cycle after the last rest of a stage."""
        return self._rests[stage].end

    def touched(self, transport: Transport) -> Touched:
        """Return when chips of each stage send or receive for a transfer."""
        lasts = transport.serialisation_cycles
        spans: dict[int, tuple[int, int]] = {}
        for stages, begins in (
            (self._source[transport.link], transport.wire_cycle),
            (self._target[transport.link], transport.receive_cycle),
        ):
            rows = zip(
                stages.tolist(), begins.tolist(), (begins + lasts).tolist(), strict=True
            )
            for stage, begin, end in rows:
                first, last = spans.get(stage, (begin, end))
                spans[stage] = min(first, begin), max(last, end)
        return spans

    def settle(self, stage: int, now: int) -> None:
        """Let a stage rest that has nothing to do, if that costs little."""
        rest = self._rested(stage, now)
        soon = self._interval and now - rest.begin > self._interval // 2
        if soon and rest.work_end <= now:
            rest.begin, rest.end = now, now + self._stall

    def _rested(self, stage: int, now: int) -> _Rest:
        """Return the last rest of a stage, which may be the cycles just before now."""
        rest = self._rests[stage]
        rested = rest.work_end + self._stall <= now and rest.end < now
        if self._interval and rested:
            rest.begin, rest.end = now - self._stall, now
        return rest

    def work_start(self, stage: int, at: int) -> int:
        """Return when an operator may start in a stage, from `at` on."""
        return max(at, self._rests[stage].end)

    def work(self, stage: int, end: int) -> None:
        """Note that a stage works until a cycle."""
        rest = self._rests[stage]
        rest.work_end = max(rest.work_end, end)

    def transfer_start(self, touched: Touched, at: int, now: int) -> int:
        """Return when a transfer may start, from `at` on, and let its stages rest.

        A stage rests once all that it has begun is done, if its last rest would be too
        long ago at the end of the transfer.

        Raises
        ------
        ScheduleError
            If the transfer alone is longer than the interval.
        """
        for stage, (begin, end) in touched.items():
            rest = self._rested(stage, now)
            at = max(at, rest.end - begin)
            if not self._interval or at + end - rest.begin <= self._interval:
                continue
            if end - begin + self._stall > self._interval:
                raise ScheduleError(
                    f"a transfer between stages takes {end - begin} cycles, more than "
                    f"the {self._interval} of the deskew interval leave beside the "
                    f"deskew; use a longer deskew.interval_epochs, 'auto', or smaller "
                    f"chunks (--prefill-chunk)"
                )
            rest.begin = max(rest.work_end, now, rest.end)
            at = max(at, rest.begin + self._stall - begin)
            if at + end - rest.begin > self._interval:
                # It waits for a link, and the stage rests just before.
                rest.begin = at + begin - self._stall
            rest.end = rest.begin + self._stall
        return at

    def transfer(self, touched: Touched, at: int) -> None:
        """Note a transfer that starts at a cycle."""
        for stage, (_, end) in touched.items():
            self.work(stage, at + end)
