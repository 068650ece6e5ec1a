"""Compilation of the recomputation of a KV cache: chunks that follow each other.

All chunks run one program, in which as many are in flight as stages take. So each is
scheduled as if it attended to the whole context, and the recomputation takes a little
longer than a prefill whose chunks are compiled one by one. What compiles it is what
compiles tokens in flight, and it takes seconds for any context.
"""

from dataclasses import dataclass, replace
from typing import final

from compiler.compile_decode import compile_token
from compiler.ir.schedule import Schedule
from compiler.scheduling.plan_scheduler import PlanScheduler
from sharding.planner.chunked_prefill import cache_plan, check_chunk, largest_chunk
from sharding.planner.plan import ShardingPlan
from specs.errors import ScheduleError
from specs.units import ceil_div
from topologies.outage import NO_OUTAGE, Outage
from topologies.topology import Topology

# The least chunk that is tried, unless there are fewer positions.
_LEAST_CHUNK = 8


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Recomputation:
    """Recomputation of the KV cache of the first layers of a model.

    Parameters
    ----------
    chunk_tokens
        Positions that are computed together.
    schedule
        Schedule of the chunks in flight; `sequences` of its program are chunks.
    rounds
        How often the program runs, until all chunks of all sequences are through.
    """

    chunk_tokens: int
    schedule: Schedule
    rounds: int

    @property
    def latency_cycles(self) -> int:
        """Return the cycles from the first chunk's start to the last one's end."""
        program = self.schedule.program
        last = (self.rounds - 1) * program.period_cycles
        last += (program.sequences - 1) * program.interval_cycles
        return last + program.token_cycles


def compile_recomputation(
    plan: ShardingPlan,
    topology: Topology,
    layers: int,
    *,
    chunk_tokens: int = 0,
    outage: Outage = NO_OUTAGE,
) -> Recomputation:
    """Compile the recomputation of a KV cache into a static schedule.

    Parameters
    ----------
    plan
        Plan of one replica; its cache is filled to the context, for all sequences.
    topology
        The topology.
    layers
        Number of the first layers whose cache is wanted.
    chunk_tokens
        Positions that are computed together; 0 for the fastest power of two.
    outage
        Chips and links that are out of order.

    Raises
    ------
    PlanError
        If the activations of a chunk do not fit.
    ScheduleError
        If no schedule holds.
    """
    context = plan.task.context
    if chunk_tokens:
        chunk_tokens = min(chunk_tokens, context)
        check_chunk(plan, context, chunk_tokens)
    scheduler = PlanScheduler(plan, topology, outage, overlaps=False)
    sizes = [chunk_tokens] if chunk_tokens else _chunk_sizes(plan)
    timed: list[tuple[int, int, int]] = []
    for size in sizes:
        timed.append(_timed(plan, scheduler, layers, size))
        if len(timed) > 1 and timed[-1] > timed[-2]:
            # Longer chunks only fill the stages later still.
            break
    error = ScheduleError("no chunk fits")
    for _, size, in_flight in sorted(timed):
        count = plan.sequences * ceil_div(context, size)
        rounds = ceil_div(count, in_flight)
        chunk = replace(
            cache_plan(plan, layers, size), sequences=ceil_div(count, rounds)
        )
        try:
            schedule = compile_token(chunk, topology, outage, patient=False)
        except ScheduleError as failed:
            error = failed
            continue
        # The cache is that of the plan's sequences, however many chunks are in flight.
        schedule = replace(schedule, plan=replace(chunk, sequences=plan.sequences))
        return Recomputation(chunk_tokens=size, schedule=schedule, rounds=rounds)
    raise error


def _chunk_sizes(plan: ShardingPlan) -> list[int]:
    """Return the sizes that are tried: powers of two, or the longest that fits."""
    most = largest_chunk(plan, plan.task.context)
    if not most:
        # The error for a single position at a time says what is lacking.
        check_chunk(plan, plan.task.context, 1)
    sizes = [min(_LEAST_CHUNK, most)]
    while 2 * sizes[-1] <= most:
        sizes.append(2 * sizes[-1])
    return sizes


def _timed(
    plan: ShardingPlan, scheduler: PlanScheduler, layers: int, size: int
) -> tuple[int, int, int]:
    """Return the estimated cycles with chunks of a size, the size, and those in flight.

    The slowest stage takes one chunk after another, with a gap in which it deskews.
    """
    (timeline,) = scheduler.timelines([cache_plan(plan, layers, size)], 0)
    interval = max(timeline.stage_cycles) + plan.machine.hac.epoch_cycles
    count = plan.sequences * ceil_div(plan.task.context, size)
    cycles = timeline.token_cycles + (count - 1) * interval
    return cycles, size, min(count, ceil_div(timeline.token_cycles, interval))
