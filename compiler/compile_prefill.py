"""Compiling the pass of a prompt: chunks that follow each other through the stages.

A chunk is in one stage at a time, as a token is; while a stage computes a chunk, the
one before it computes the next. Each chunk has a chain of its own, since it attends to
more than the one before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from compiler.compile_decode import PlanScheduler
from compiler.cost.roofline import feed_cycles, lower_bound_cycles
from compiler.ir.program_emission import emit
from compiler.ir.schedule import Schedule
from compiler.scheduling.chunk_scheduler import joined
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
    """The static schedule of a prompt's pass.

    Parameters
    ----------
    prompt_tokens, chunk_tokens
        Positions of the prompt, and of each chunk but the last.
    schedule
        All chunks as one program; its latency ends when the first token chosen is back
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
    """Return the schedule of a prompt's pass through the stages of `plan`.

    Parameters
    ----------
    plan
        Who holds what; its context is what the cache must hold in the end.
    topology
        The wiring.
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
    chains = PlanScheduler(plan, topology)
    if chunk_tokens:
        chunk_tokens = min(chunk_tokens, prompt_tokens)
        check_chunk(plan, prompt_tokens, chunk_tokens)
    else:
        chunk_tokens = _fastest_chunk(plan, topology, chains, prompt_tokens)
    plans = chunk_plans(plan, prompt_tokens, chunk_tokens)
    interval_cycles = chains.interval_cycles(lambda: chains.timelines(plans[-2:], 0))
    parts = chains.timelines(plans, interval_cycles)
    stall_cycles = plan.task.machine.hac.epoch_cycles
    laid, starts = joined(parts, stall_cycles)
    chain, program = chains.program(plan, [laid], interval_cycles)
    schedule = Schedule(
        plan=plans[-1],
        topology=topology,
        tree=chains.tree,
        program=program,
        timeline=chain,
        lower_bound_cycles=_bound_cycles(plans),
    )
    return Prefill(
        prompt_tokens=prompt_tokens,
        chunk_tokens=chunk_tokens,
        schedule=schedule,
        start_cycles=tuple(starts),
    )


def _bound_cycles(plans: Sequence[ShardingPlan]) -> int:
    """Return what no schedule beats: the last chunk alone, or a stage's feed for all.

    A stage feeds its operands to the matrix unit anew for each chunk.
    """
    stages = range(len(plans[0].stages))
    fed = [
        sum(feed_cycles(each.task, each.stages[s]) for each in plans) for s in stages
    ]
    return max(lower_bound_cycles(plans[-1]), *fed)


def _fastest_chunk(
    plan: ShardingPlan, topology: Topology, chains: PlanScheduler, prompt_tokens: int
) -> int:
    """Return the power of two whose chunks make the fastest pass, or the whole prompt.

    Longer chunks use what is fed for more positions; shorter ones fill the stages
    sooner. Among those whose activations and program text fit, the first is taken that
    the next does not beat, counted as if all chunks took what the last one takes.
    """
    most = largest_chunk(plan, prompt_tokens)
    if not most:
        # One position at a time takes no more than a token does; it says what lacks.
        check_chunk(plan, prompt_tokens, 1)
    chip = plan.task.machine.chip
    stall_cycles = plan.task.machine.hac.epoch_cycles
    best_cycles, best = None, 0
    chunk = min(_LEAST_CHUNK, most)
    while chunk <= most:
        count = len(prompt_chunks(prompt_tokens, chunk))
        last = chunk_plans(plan, prompt_tokens, chunk)[-1]
        (chain,) = chains.timelines([last], 0)
        pace = max(chain.stage_cycles) + stall_cycles
        cycles = chain.token_cycles + (count - 1) * pace
        leader = int(plan.stages[0].chips[0])
        instructions = emit(chain, topology, chip, leader).instructions
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
