"""Chunked prefill: the plans of a prompt's chunks, and the longest chunk that fits."""

from dataclasses import replace

import numpy as np

from sharding.planner.memory import StageMemory, stage_memories, stage_memory
from sharding.planner.plan import ShardingPlan, Stage
from sharding.weights.blocks import BlockKind
from sharding.weights.task import Task
from specs.arrays import Ints
from specs.errors import PlanError


def prompt_chunks(prompt_tokens: int, chunk_tokens: int) -> list[int]:
    """Return the planned positions of each chunk; the last chunk has the remainder.

    >>> prompt_chunks(10, 4)
    [4, 4, 2]
    """
    whole, rest = divmod(prompt_tokens, chunk_tokens)
    return [chunk_tokens] * whole + [rest] * (rest > 0)


def pass_plan(plan: ShardingPlan, task: Task) -> ShardingPlan:
    """Return the sharding plan of another task on the same slices.

    Parameters
    ----------
    plan
        The slices of each chip.
    task
        Positions to compute, and their context. If none of them is answered, the head
        is not computed, and stages that hold only the head are left out.

    Raises
    ------
    PlanError
        If drafted tokens are verified by a model that keeps a state, not a cache.
    """
    if task.answer_tokens > 1 and task.model.linear is not None:
        raise PlanError(
            f"{task.answer_tokens} positions are answered at once, as drafts are: "
            f"{task.model.name} has linear attention, whose states cannot go back to "
            f"the last accepted one; decode without speculation"
        )
    blocks = [stage.blocks for stage in plan.stages]
    if not task.answer_tokens:
        blocks = [
            tuple(block for block in held if block.kind is not BlockKind.HEAD)
            for held in blocks
        ]
    stages = [
        replace(stage, blocks=held)
        for stage, held in zip(plan.stages, blocks, strict=True)
        if held
    ]
    return replace(plan, task=task, stages=_kept(task, stages, plan.sequences))


def _kept(task: Task, stages: list[Stage], sequences: int) -> tuple[Stage, ...]:
    """Return stages of a prompt's pass with what they keep in memory."""
    size = len(stages)
    first_of_each = [at for at in range(size) if not stages[at].index]
    kept: list[Stage] = []
    for begin, end in zip(first_of_each, [*first_of_each[1:], size], strict=True):
        own = stages[begin:end]
        memories = stage_memories(task, [each.blocks for each in own], sequences)
        kept += map(_with_memory, own, memories)
    return tuple(kept)


def _with_memory(stage: Stage, memory: StageMemory) -> Stage:
    """Return a stage of a chunk's pass with its memory."""
    return replace(stage, memory=memory)


def chunk_plans(
    plan: ShardingPlan, prompt_tokens: int, chunk_tokens: int
) -> list[ShardingPlan]:
    """Return the sharding plan of each prompt chunk; only the last gives an answer.

    Raises
    ------
    PlanError
        If caches are mirrored and there are several chunks.
    """
    if plan.task.mirrored and chunk_tokens < prompt_tokens:
        raise PlanError(
            f"failover.kv_cache=mirrored: the first stage mirrors the last, and begins "
            f"a chunk before the keys of the one ahead are there; use --prefill-chunk "
            f"{prompt_tokens}, one chunk, or failover.kv_cache=recompute"
        )
    plans = []
    context = 0
    for size in prompt_chunks(prompt_tokens, chunk_tokens):
        context += size
        task = plan.task._replace(
            context=context,
            query_tokens=size,
            answer_tokens=int(context == prompt_tokens),
        )
        plans.append(pass_plan(plan, task))
    return plans


def cache_plan(plan: ShardingPlan, layers: int, chunk_tokens: int) -> ShardingPlan:
    """Return the sharding plan of a chunk that only fills the KV cache of some layers.

    Parameters
    ----------
    plan
        The slices of each chip; the chunk is the last of its context.
    layers
        Number of the first layers whose KV cache is wanted. The pass ends with the
        attention of the last of them and gives no answer.
    chunk_tokens
        Positions that are computed together.
    """
    # The caches that are lost are mirrored once they are whole.
    machine = plan.machine.with_settings({"failover.kv_cache": "recompute"})
    task = plan.task._replace(
        machine=machine, query_tokens=chunk_tokens, answer_tokens=0
    )
    stages = []
    for stage in plan.stages:
        held = tuple(
            block
            for block in stage.blocks
            if block.layer < layers - (block.kind is BlockKind.FEED_FORWARD)
        )
        if held:
            # Weights and caches that the pass does not need stay where they are.
            memory = stage_memory(task, stage.blocks, plan.sequences)
            memory = memory._replace(kv_cache=stage.memory.kv_cache)
            stages.append(replace(stage, blocks=held, memory=memory))
    return replace(plan, task=task, stages=tuple(stages))


def lacking_bytes(plan: ShardingPlan, task: Task, together: int = 1) -> int:
    """Return the bytes a plan's fullest chip lacks for a pass, 0 or less if it fits.

    Parameters
    ----------
    plan
        The weights of each chip, and the KV cache that stays allocated.
    task
        The pass, with its own KV cache and activations.
    together
        Passes whose activations a stage holds at a time.
    """
    passing = pass_plan(plan, task)
    return max(
        int(_needed_bytes(held, stage, together).max())
        for held, stage in zip(plan.stages, passing.stages, strict=False)
    ) - (task.machine.chip.sram_bytes)


def _needed_bytes(held: Stage, stage: Stage, together: int) -> Ints:
    """Return the bytes of each chip with the larger KV cache of the two stages."""
    own = stage.memory._replace(
        weights=held.memory.weights,
        kv_cache=np.maximum(held.memory.kv_cache, stage.memory.kv_cache),
        activations=together * stage.memory.activations,
    )
    return own.total


def largest_chunk(plan: ShardingPlan, prompt_tokens: int) -> int:
    """Return the longest chunk whose activations fit in a plan's memory, 0 if none."""
    low, high = 0, prompt_tokens
    while low < high:
        middle = (low + high + 1) // 2
        if _lacking(plan, prompt_tokens, middle) <= 0:
            low = middle
        else:
            high = middle - 1
    return low


def check_chunk(plan: ShardingPlan, prompt_tokens: int, chunk_tokens: int) -> None:
    """Check that a planned chunk's activations fit beside weights and KV cache.

    Raises
    ------
    PlanError
        If they do not. The message names the longest chunk that fits.
    """
    lacking = _lacking(plan, prompt_tokens, chunk_tokens)
    if lacking <= 0:
        return
    fits = largest_chunk(plan, prompt_tokens)
    way_out = f"use --prefill-chunk {fits}" if fits else "use more chips"
    raise PlanError(
        f"chunks of {chunk_tokens} positions of a prompt of {prompt_tokens} do not "
        f"fit: with the activations of one, the fullest chip lacks {lacking:,} bytes; "
        f"{way_out}"
    )


def chunks_together(
    plan: ShardingPlan, prompt_tokens: int, chunk_tokens: int, most: int
) -> int:
    """Return how many chunks a stage has the memory to hold at a time, at least one.

    Parameters
    ----------
    plan, prompt_tokens, chunk_tokens
        As in `check_chunk`.
    most
        The most that are wanted.
    """
    for together in range(most, 1, -1):
        if _lacking(plan, prompt_tokens, chunk_tokens, together) <= 0:
            return together
    return 1


def _lacking(
    plan: ShardingPlan, prompt_tokens: int, chunk_tokens: int, together: int = 1
) -> int:
    """Return the bytes that the fullest chip lacks for chunks of a length."""
    # A whole chunk at the prompt's end has the most scores.
    task = plan.task._replace(
        context=prompt_tokens, query_tokens=chunk_tokens, answer_tokens=1
    )
    return lacking_bytes(plan, task, together)
