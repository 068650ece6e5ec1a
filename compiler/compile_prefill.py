"""Compilation of the prefill of a prompt: chunks that follow each other through stages.

A chunk is in one stage at a time, as a token is; while a stage computes a chunk, the
stage before it computes the next. Each chunk has a timeline of its own, since it
attends to more positions than the one before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from compiler.cost.roofline import feed_cycles, lower_bound_cycles
from compiler.ir.program_emission import emit
from compiler.ir.schedule import Schedule
from compiler.scheduling.chunk_scheduler import schedule_chunks
from compiler.scheduling.plan_scheduler import PlanScheduler
from sharding.planner.chunked_prefill import (
    check_chunk,
    chunk_plans,
    largest_chunk,
    prompt_chunks,
)
from sharding.planner.plan import ShardingPlan
from specs.errors import PlanError
from topologies.topology import Topology

# The least chunk that is tried: smaller ones leave the matrix unit to its feed.
_LEAST_CHUNK = 8


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Prefill:
    """The static schedule of the prefill of a prompt.

    Parameters
    ----------
    prompt_tokens, chunk_tokens
        Positions of the prompt, and of each chunk but the last.
    schedule
        All chunks as one program; its latency ends when the first chosen token is back
        at the first stage.
    start_cycles
        When each chunk starts.
    """

    prompt_tokens: int
    chunk_tokens: int
    schedule: Schedule
    start_cycles: tuple[int, ...]

    @property
    def chunks(self) -> int:
        """Return the number of chunks."""
        return len(self.start_cycles)


def compile_prefill(
    plan: ShardingPlan, topology: Topology, prompt_tokens: int, chunk_tokens: int = 0
) -> Prefill:
    """Compile the prefill of a prompt in the stages of `plan` into a static schedule.

    Parameters
    ----------
    plan
        Who holds what; its context is what the cache must hold in the end.
    topology
        The topology.
    prompt_tokens
        Positions of the prompt of each sequence.
    chunk_tokens
        Positions that are computed together; 0 for the fastest power of two.

    Raises
    ------
    PlanError
        If the activations of a chunk do not fit, the model is an encoder, or there is
        more than one replica.
    ScheduleError
        If no schedule holds.
    """
    if plan.task.model.structure.encoder:
        raise PlanError(
            f"{plan.task.model.name} is an encoder, which computes all positions of "
            f"--context at once and has no prompt; leave --prompt out"
        )
    if plan.strategy.data > 1:
        raise PlanError(
            f"{plan.strategy} has {plan.strategy.data} replicas, and a prompt runs in "
            f"one; leave data= out to see what it takes there"
        )
    scheduler = PlanScheduler(plan, topology)
    if chunk_tokens:
        chunk_tokens = min(chunk_tokens, prompt_tokens)
        check_chunk(plan, prompt_tokens, chunk_tokens)
    else:
        chunk_tokens = _fastest_chunk(plan, topology, scheduler, prompt_tokens)
    plans = chunk_plans(plan, prompt_tokens, chunk_tokens)
    interval_cycles = scheduler.interval_cycles(
        lambda: scheduler.timelines(plans[-2:], 0)
    )
    parts = scheduler.timelines(plans, interval_cycles)
    stall_cycles = plan.task.machine.hac.epoch_cycles
    scheduled, starts = schedule_chunks(parts, stall_cycles)
    timeline, program = scheduler.program(
        plan, [scheduled], interval_cycles, passes=plans
    )
    schedule = Schedule(
        plan=plans[-1],
        topology=topology,
        tree=scheduler.tree,
        program=program,
        timeline=timeline,
        lower_bound_cycles=_bound_cycles(plans),
    )
    return Prefill(
        prompt_tokens=prompt_tokens,
        chunk_tokens=chunk_tokens,
        schedule=schedule,
        start_cycles=tuple(starts),
    )


def _bound_cycles(plans: Sequence[ShardingPlan]) -> int:
    """Return a lower bound on the cycles of a prefill.

    It is that of the last chunk alone, or what the slowest stage takes to feed its
    operands to the matrix unit, which it does again for each chunk.
    """
    stages = range(len(plans[0].stages))
    fed = [
        sum(feed_cycles(each.task, each.stages[s]) for each in plans) for s in stages
    ]
    return max(lower_bound_cycles(plans[-1]), *fed)


def _fastest_chunk(
    plan: ShardingPlan, topology: Topology, scheduler: PlanScheduler, prompt_tokens: int
) -> int:
    """Return the chunk size of the fastest prefill: a power of two or the whole prompt.

    Longer chunks use operands for more positions once they are fed; shorter ones fill
    the stages sooner. Among those whose activations and program text fit, the first is
    taken that the next does not beat, estimated as if all chunks took as long as the
    last one.
    """
    most = largest_chunk(plan, prompt_tokens)
    if not most:
        # The error for a single position at a time says what is lacking.
        check_chunk(plan, prompt_tokens, 1)
    chip = plan.task.machine.chip
    stall_cycles = plan.task.machine.hac.epoch_cycles
    best_cycles, best = None, 0
    chunk = min(_LEAST_CHUNK, most)
    while chunk <= most:
        count = len(prompt_chunks(prompt_tokens, chunk))
        last = chunk_plans(plan, prompt_tokens, chunk)[-1]
        (timeline,) = scheduler.timelines([last], 0)
        interval = max(timeline.stage_cycles) + stall_cycles
        cycles = timeline.token_cycles + (count - 1) * interval
        leader = int(plan.stages[0].chips[0])
        instructions = emit(timeline, topology, chip, leader).instructions
        per_chip = int(np.bincount(instructions.chip).max())
        fits = count * per_chip * chip.instruction_bytes <= chip.program_reserve_bytes
        if fits and best_cycles is not None and cycles >= best_cycles:
            break
        if fits:
            best_cycles, best = cycles, chunk
        if chunk == most:
            break
        chunk = min(2 * chunk, most)
    if not best:
        raise PlanError(
            f"the program of a prompt of {prompt_tokens} positions does not fit in "
            f"{chip.program_reserve_bytes:,} bytes of text in any chunks that the SRAM "
            f"holds; raise chip.program_reserve_bytes, or use more chips"
        )
    return best
