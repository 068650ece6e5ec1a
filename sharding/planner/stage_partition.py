"""Partition of a model into pipeline stages, balanced by compute or by memory."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from sharding.operators.operators import Compute
from sharding.partition.block_operators import block_operators
from sharding.planner.memory import (
    activation_bytes,
    kv_cache_bytes,
    least_weight_bytes,
    stage_memories,
    stage_memory,
    weight_bytes,
)
from sharding.planner.min_max_partition import balanced_cuts
from sharding.weights.blocks import Block, BlockKind, merged, model_units
from sharding.weights.task import Task
from specs.arrays import Ints

_UNLIMITED_BYTES = 2**62
# Tasks whose pieces are remembered: a search tries many pipelines with each split.
_TASKS_REMEMBERED = 32


def stage_cuts(
    task: Task, units: list[Block], *, pipeline: int, sequences: int
) -> list[int] | None:
    """Return the first unit of each planned stage, or None if the stages do not fit.

    The slowest stage takes as few cycles as possible. If only a partition balanced by
    memory fits, the result is that one.

    Parameters
    ----------
    task
        The task, with its tensor group.
    units
        Smallest blocks of the model in order.
    pipeline, sequences
        Stages, and sequences in flight.
    """
    chip = task.machine.chip
    usable_bytes = chip.sram_bytes - chip.program_reserve_bytes
    held = _piece_bytes(task, units, sequences)
    # Each piece is whole in one stage, and the fullest chip holds the mean at least.
    if held.fullest.max() > usable_bytes:
        return None
    if held.together > usable_bytes * task.tensor * pipeline:
        return None
    alive = int(activation_bytes(task, merged(units)).max())
    cycles = piece_cycles(task, units)
    cut_inside = np.array([0 if unit.opens else 1 for unit in units], dtype=np.int64)

    def balanced(held_bytes: Ints) -> list[int] | None:
        return balanced_cuts(
            cycles,
            held_bytes,
            cut_inside,
            stages=pipeline,
            capacity=usable_bytes - alive,
        )

    cuts = balanced(held.fullest)
    # What a stage mirrors is another's, and was taken to be like its own.
    if cuts is not None and (not task.mirrored or _fits(task, units, cuts, sequences)):
        return cuts
    if task.group.alternating_groups > 1:
        # Layers alternate between groups: a chip that holds more than the mean of one
        # layer holds less of the next.
        cuts = balanced(held.mean)
        if cuts is not None and _fits(task, units, cuts, sequences):
            return cuts
    # Pieces whose fullest chips differ need less memory than the sum of their maxima.
    cuts = cuts_by_memory(task, units, pipeline=pipeline, sequences=sequences)
    return cuts if _fits(task, units, cuts, sequences) else None


def fits_in_memory(
    task: Task, units: list[Block], *, pipeline: int, sequences: int
) -> bool:
    """Return whether `stage_cuts` finds stages of a planned model that fit.

    Whether it does is mostly known from bytes alone, without the cycles of any unit.
    Parameters are those of `stage_cuts`.
    """
    chip = task.machine.chip
    usable_bytes = chip.sram_bytes - chip.program_reserve_bytes
    held = _piece_bytes(task, units, sequences)
    if held.fullest.max() > usable_bytes:
        return False
    # The fullest chip of a stage holds no less than the mean.
    if _stages_needed(held.least, usable_bytes, pipeline) > pipeline:
        return False
    if task.mirrored or task.group.alternating_groups > 1:
        cuts = stage_cuts(task, units, pipeline=pipeline, sequences=sequences)
        return cuts is not None
    alive = int(activation_bytes(task, merged(units)).max())
    needed = _stages_needed(held.fullest, usable_bytes - alive, pipeline)
    if needed <= pipeline:
        return True
    cuts = cuts_by_memory(task, units, pipeline=pipeline, sequences=sequences)
    stages = stage_blocks(units, cuts)
    # The stages that hold most are looked at first.
    sums = np.add.reduceat(held.fullest, cuts)
    return all(
        stage_memory(task, stages[n], sequences).total.max() <= chip.sram_bytes
        for n in np.argsort(-sums, kind="stable").tolist()
    )


def _stages_needed(held_bytes: Ints, capacity: int, most: int) -> int:
    """Return the fewest stages that hold the units, or one more than `most`."""
    if held_bytes.max() > capacity:
        return most + 1
    ends = np.cumsum(held_bytes)
    first, before = 0, 0
    for stages in range(1, most + 1):
        first = int(np.searchsorted(ends, before + capacity, side="right"))
        if first == len(ends):
            return stages
        before = int(ends[first - 1])
    return most + 1


def _fits(task: Task, units: list[Block], cuts: list[int], sequences: int) -> bool:
    """Return whether the stages of `cuts` fit in the memory of each chip."""
    memories = stage_memories(task, stage_blocks(units, cuts), sequences)
    return all(
        memory.total.max() <= task.machine.chip.sram_bytes for memory in memories
    )


def cuts_by_memory(
    task: Task, units: list[Block], *, pipeline: int, sequences: int
) -> list[int]:
    """Return the first unit of each stage in a plan balanced by memory alone."""
    memory = _piece_bytes(task, units, sequences).fullest
    cuts = balanced_cuts(
        memory, memory, 0 * memory, stages=pipeline, capacity=_UNLIMITED_BYTES
    )
    assert cuts is not None
    return cuts


def stage_blocks(units: list[Block], cuts: list[int]) -> list[tuple[Block, ...]]:
    """Return the blocks of each planned stage, consecutive units joined."""
    ends = [*cuts[1:], len(units)]
    return [merged(units[a:b]) for a, b in zip(cuts, ends, strict=True)]


def piece_cycles(task: Task, units: list[Block]) -> Ints:
    """Return the cycles that each unit adds to a planned stage, on its slowest chips.

    A unit that continues the one before it shares its pipeline fill and its input, so
    its cost is what it adds: the units of a layer sum up to the layer.
    """
    known = _known_cycles(task)

    def cycles_from_start(block: Block) -> int:
        # Layers of the same sizes take the same cycles.
        like = task.like(block)._replace(first=0)
        if like not in known:
            known[like] = sum(
                int(operator.cycles.max())
                for operator in block_operators(task, like)
                if isinstance(operator, Compute)
            )
        return known[like]

    cycles = []
    for unit in units:
        added = cycles_from_start(unit)
        if not unit.opens:
            added -= cycles_from_start(unit._replace(last=unit.first))
        cycles.append(max(0, added))
    return np.array(cycles, dtype=np.int64)


@lru_cache(maxsize=_TASKS_REMEMBERED)
def _known_cycles(_task: Task) -> dict[Block, int]:
    """Return the cycles of blocks of a planned task that are known, to add others."""
    return {}


class _PieceBytes(NamedTuple):
    """Bytes of weights and KV cache of the units of a model.

    Attributes
    ----------
    fullest, mean
        Bytes of each unit on its fullest chip, and the mean over chips, rounded up.
    least
        The fewest bytes on a chip that a unit adds to others.
    together
        Bytes of all units on all chips, the fewest that they have when joined.
    """

    fullest: Ints
    mean: Ints
    least: Ints
    together: int


def held_bytes(task: Task, sequences: int) -> int:
    """Return the bytes of weights and KV cache of a planned model on all chips.

    Parameters
    ----------
    task
        The task, with its tensor group.
    sequences
        Sequences in flight.
    """
    units = model_units(task.model, task.machine, tensor=task.tensor, pipeline=1)
    return _piece_bytes(task, units, sequences).together


def _piece_bytes(task: Task, units: list[Block], sequences: int) -> _PieceBytes:
    """Return the bytes of weights and KV cache of each unit."""
    known = _known_bytes(task, sequences)
    # Layers of the same sizes take the same bytes. A layer may have hundreds of units.
    layers: dict[tuple[BlockKind, int], int] = {}
    sizes = []
    for unit in units:
        of_layer = unit.kind, unit.layer
        if of_layer not in layers:
            layers[of_layer] = task.like(unit).layer
        like = Block(unit.kind, layers[of_layer], unit.first, unit.last, unit.parts)
        if like not in known:
            cached = kv_cache_bytes(task, unit, sequences)
            held = weight_bytes(task, unit) + cached * (1 + task.mirrored)
            copies = int(cached.sum()) * (1 + task.mirrored)
            least = least_weight_bytes(task, unit) + copies
            known[like] = int(held.max()), int(held.sum()), least
        sizes.append(known[like])
    fullest, sums, least = np.array(sizes, dtype=np.int64).T
    mean = -(-sums // task.tensor)
    return _PieceBytes(fullest, mean, least // task.tensor, int(least.sum()))


@lru_cache(maxsize=_TASKS_REMEMBERED)
def _known_bytes(_task: Task, _sequences: int) -> dict[Block, tuple[int, int, int]]:
    """Return the bytes of units of a planned task that are known, to add others."""
    return {}
