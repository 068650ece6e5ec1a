"""Software pipelining of tokens: the initiation interval of a full pipeline.

A token as it is alone may be repeated unchanged at an interval at which it never meets
itself. Where stages share links with others, there is mostly none near the cycles of
the slowest stage. There tokens are scheduled again at that interval with a modulo
reservation table: a phase waits while another stage's train is on one of its links, and
each token is a little longer.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, final

from chip.program import Instructions
from compiler.ir.program_emission import Emitted, emit
from compiler.ir.timeline import Timeline
from compiler.passes.pass_of import AnyPlan
from compiler.routing.modulo_reservation_table import (
    ModuloReservationTable,
    contested_links,
)
from compiler.scheduling.data_parallel import merge_replicas, merge_timelines
from compiler.scheduling.initiation_interval import (
    interval_within_token,
    sends_on_ports,
    sequence_spacing,
)
from specs.errors import ScheduleError
from specs.units import ceil_div
from topologies.topology import Topology

# Schedules the tokens of all replicas again on links that are reserved in a table.
Reschedule = Callable[[ModuloReservationTable], Sequence[Timeline]]

# A relayed vector may pass in the gap that was meant for a deskew; sequences or
# replicas a little further apart leave another.
_MOST_UNCHANGED_ATTEMPTS = 16
_MOST_RESCHEDULED_ATTEMPTS = 2
# How often tokens are scheduled in search of an interval; two or three times do unless
# links are full.
_MOST_RESCHEDULES = 12
# An interval that tokens exceed is followed by what they took and 1/4096 more, or by
# 1/30 more where some phase found no free cycles.
_MARGIN = 4096
_STEP = 30


class PipelinedToken(NamedTuple):
    """Pipelined token: tokens that follow each other and never meet.

    Attributes
    ----------
    timeline
        A token of all replicas.
    emitted
        Its instructions and trains.
    interval_cycles, period_cycles
        Initiation interval of the sequences, 0 if there is one; and the cycles from a
        token of a sequence to its next.
    """

    timeline: Timeline
    emitted: Emitted
    interval_cycles: int
    period_cycles: int


@final
class SoftwarePipeliner:
    """Software pipeliner: finds how soon a token may follow another.

    Parameters
    ----------
    plan, topology
        Who holds what, and the topology.
    timelines
        The token of each replica as it is alone.
    reschedule
        What schedules them again on reserved links; None if they stay as they are.
    """

    def __init__(
        self,
        plan: AnyPlan,
        topology: Topology,
        timelines: Sequence[Timeline],
        reschedule: Reschedule | None,
    ) -> None:
        self._plan = plan
        self._topology = topology
        self._timelines = timelines
        self._reschedule = reschedule
        self._alone_cycles = max(timeline.token_cycles for timeline in timelines)
        self._sequences = plan.sequences
        self._stall_cycles = plan.machine.hac.epoch_cycles
        self._several = plan.sequences > 1 or len(timelines) > 1
        self._contested = frozenset[int]()
        if self._several and reschedule is not None:
            self._contested = contested_links(timelines)

    def attempts(self) -> Iterator[PipelinedToken]:
        """Yield the best pipelined token, then others that leave more idle cycles."""
        if not self._contested:
            for attempt in range(_MOST_UNCHANGED_ATTEMPTS if self._several else 1):
                yield self._unchanged(attempt)
            return
        for attempt in range(_MOST_RESCHEDULED_ATTEMPTS):
            extra_cycles = attempt * self._stall_cycles
            candidates = [self._unchanged_within_token(extra_cycles)]
            if (
                candidates[0] is None
                or candidates[0].period_cycles > self._alone_cycles
            ):
                candidates.append(self._rescheduled(extra_cycles))
            best = min(filter(None, candidates), key=_period_cycles, default=None)
            if best is not None:
                yield best

    def _unchanged_within_token(self, extra_cycles: int) -> PipelinedToken | None:
        """Return tokens as they are alone, None if their period would be longer."""
        timeline = self._merged(0)
        emitted = self._emitted(timeline)
        if self._sequences == 1:
            return PipelinedToken(timeline, emitted, 0, timeline.token_cycles)
        interval = interval_within_token(
            self._contested_sends(emitted.instructions),
            self._sequences,
            at_least_cycles=self._slowest_stage_cycles(self._timelines, extra_cycles),
            token_cycles=timeline.token_cycles,
        )
        if interval is None:
            return None
        return PipelinedToken(timeline, emitted, interval, timeline.token_cycles)

    def _unchanged(self, attempt: int) -> PipelinedToken:
        """Return tokens as they are alone, as far apart as they must be."""
        extra_cycles = attempt * self._stall_cycles
        # Replicas start further apart too, up to one after the other.
        timeline = self._merged(self._stall_cycles << (attempt - 1) if attempt else 0)
        emitted = self._emitted(timeline)
        interval, period = sequence_spacing(
            self._contested_sends(emitted.instructions),
            self._sequences,
            at_least_cycles=self._slowest_stage_cycles(self._timelines, extra_cycles),
            token_cycles=timeline.token_cycles,
        )
        return PipelinedToken(timeline, emitted, interval, period)

    def _rescheduled(self, extra_cycles: int) -> PipelinedToken | None:
        """Return tokens that wait for each other on links, None if no interval does."""
        assert self._reschedule is not None
        interval = self._least_interval(self._timelines, extra_cycles)
        best = None
        for _ in range(_MOST_RESCHEDULES):
            try:
                timelines = self._reschedule(
                    ModuloReservationTable(interval, self._contested)
                )
            except ScheduleError:
                interval += interval // _STEP + 1
                continue
            needed = self._least_interval(timelines, extra_cycles)
            if needed > interval and best is not None:
                break
            if needed > interval:
                interval = needed + needed // _MARGIN
                continue
            best = timelines, interval
            if needed == interval:
                break
            interval = needed
        if best is None:
            return None
        timelines, interval = best
        timeline = merge_timelines(timelines, [0] * len(timelines))
        return PipelinedToken(
            timeline,
            self._emitted(timeline),
            interval if self._sequences > 1 else 0,
            self._sequences * interval,
        )

    def _least_interval(self, timelines: Sequence[Timeline], extra_cycles: int) -> int:
        """Return the least interval that stages and sequences can keep up with."""
        token = max(timeline.token_cycles for timeline in timelines)
        if self._sequences == 1:
            return token
        slowest = self._slowest_stage_cycles(timelines, extra_cycles)
        return max(slowest, ceil_div(token, self._sequences))

    def _slowest_stage_cycles(
        self, timelines: Sequence[Timeline], extra_cycles: int
    ) -> int:
        """Return the cycles of the slowest stage with a gap in which it deskews."""
        slowest = max(max(timeline.stage_cycles) for timeline in timelines)
        return slowest + self._stall_cycles + extra_cycles

    def _merged(self, apart_cycles: int) -> Timeline:
        """Return the tokens of all replicas, which start so far apart, as one."""
        chip = self._plan.machine.chip
        return merge_replicas(
            self._timelines, self._topology, chip, apart_cycles=apart_cycles
        )

    def _emitted(self, timeline: Timeline) -> Emitted:
        """Return the instructions and trains of a timeline."""
        leader = int(self._plan.stages[0].chips[0])
        return emit(timeline, self._topology, self._plan.machine.chip, leader)

    def _contested_sends(self, instructions: Instructions) -> Instructions:
        """Return the instructions that may meet those of other tokens.

        A stage is a token's own while the token is in it, and so are its links unless
        other stages use them.
        """
        if self._reschedule is None:
            return instructions
        links = sorted(self._contested)
        ports = self._topology.source[links], self._topology.source_port[links]
        return sends_on_ports(instructions, *ports)


def _period_cycles(token: PipelinedToken) -> int:
    """Return the cycles from a token of a sequence to its next."""
    return token.period_cycles
