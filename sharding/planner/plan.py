"""A sharding plan: stages, the chips and blocks of each, and their weight slices."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, final

import numpy as np

from sharding.parallelism.feasibility import (
    check_mirrors,
    check_model,
    check_positions,
)
from sharding.parallelism.strategy import Strategy
from sharding.planner.infeasibility import capacity_error
from sharding.planner.memory import StageMemory, stage_memories
from sharding.planner.stage_partition import stage_blocks, stage_cuts
from sharding.weights.blocks import Block, BlockKind, model_units
from sharding.weights.slice_table import COLUMNS, SliceTable
from sharding.weights.stored_weights import slice_bytes
from sharding.weights.task import Task
from sharding.weights.weight_slices import block_slices
from specs.arrays import Ints
from specs.errors import PlanError
from specs.machine import MachineSpec
from specs.short_repr import html_table, short_repr

if TYPE_CHECKING:
    import pandas as pd


@final
@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """A pipeline stage: a tensor group of chips and the blocks that they share.

    Parameters
    ----------
    index
        Position in the pipeline.
    replica
        Number of the replica.
    chips
        Chip of each member, shape ``(tensor,)``.
    blocks
        Blocks of the stage in order.
    memory
        SRAM bytes of each member.
    """

    index: int
    replica: int
    chips: Ints
    blocks: tuple[Block, ...]
    memory: StageMemory

    __repr__ = short_repr

    @property
    def layers(self) -> str:
        """Return the layers of the stage, such as ``3-4``, or its kind of block."""
        numbers = [
            block.layer
            for block in self.blocks
            if block.kind in (BlockKind.ATTENTION, BlockKind.FEED_FORWARD)
        ]
        if not numbers:
            return self.blocks[0].kind.value
        first, last = numbers[0], numbers[-1]
        return str(first) if first == last else f"{first}-{last}"


@final
@dataclass(frozen=True, eq=False)
class ShardingPlan:
    """A sharding plan: a model split over the chips of a machine.

    Parameters
    ----------
    task
        Model, machine, tensor width, context and batch.
    strategy
        The strategy.
    sequences
        Sequences in flight in each replica. Each keeps a KV cache of its own.
    stages
        Stages in pipeline order, replica after replica.
    """

    task: Task
    strategy: Strategy
    sequences: int
    stages: tuple[Stage, ...]

    __repr__ = short_repr
    _repr_html_ = html_table

    @cached_property
    def replicas(self) -> tuple["ShardingPlan", ...]:
        """Plan of each replica, as a plan with one replica."""
        size, one = self.strategy.pipeline, replace(self.strategy, data=1)
        return tuple(
            replace(self, strategy=one, stages=self.stages[first : first + size])
            for first in range(0, len(self.stages), size)
        )

    @property
    def machine(self) -> MachineSpec:
        """Return the machine."""
        return self.task.machine

    def kept_bytes(self, stage: int) -> Ints:  # noqa: ARG002
        """Return the planned bytes of activations that a stage keeps between passes.

        A stage serves one sequence at a time, so that it holds one shard of the
        residual stream.

        Parameters
        ----------
        stage
            Number of the stage.

        Returns
        -------
        NDArray
            Bytes of each chip, shape ``(width,)``.
        """
        return self.task.shard_bytes()

    @property
    def fullest_chip_bytes(self) -> int:
        """Return the bytes in use on the fullest chip."""
        return max(int(stage.memory.total.max()) for stage in self.stages)

    @property
    def weight_bytes(self) -> int:
        """Return the weight bytes of all chips of all replicas."""
        return sum(int(stage.memory.weights.sum()) for stage in self.stages)

    @cached_property
    def slice_table(self) -> SliceTable:
        """Weight slices as arrays, one row for each slice of a tensor on a chip."""
        columns: dict[str, list[Ints]] = {}
        # What all slices of a tensor on a stage have in common, and their number.
        common: dict[str, list[int]] = {}
        counts: list[int] = []
        names: dict[str, int] = {}
        group, model = self.task.group, self.task.model
        plain = self.task.machine.formats.weights
        for stage in self.stages:
            for block in stage.blocks:
                for part in block_slices(model, block, group):
                    held = part.elements > 0
                    counts.append(int(held.sum()))
                    shared = {
                        "replica": stage.replica,
                        "stage": stage.index,
                        "layer": block.layer,
                        "tensor": names.setdefault(part.tensor, len(names)),
                        "tensor_rows": part.rows,
                        "tensor_columns": part.columns,
                    }
                    for name, value in shared.items():
                        common.setdefault(name, []).append(value)
                    row = {
                        "chip": stage.chips[held],
                        "row_start": part.row_start[held],
                        "row_end": part.row_end[held],
                        "column_start": part.column_start[held],
                        "column_end": part.column_end[held],
                        "bytes": slice_bytes(model, plain, block, part)[held],
                    }
                    for name, values in row.items():
                        columns.setdefault(name, []).append(values)
        table = {name: np.concatenate(parts) for name, parts in columns.items()}
        for name, each in common.items():
            table[name] = np.repeat(np.array(each, dtype=np.int64), counts)
        return SliceTable(tuple(names), {name: table[name] for name in COLUMNS})

    @cached_property
    def slices(self) -> "pd.DataFrame":
        """Weight slices as a table, one row for each slice of a tensor on a chip.

        Columns: chip, replica, stage, layer, tensor, its rows and columns, row_start,
        row_end, column_start, column_end, bytes; ends are exclusive.
        """
        return self.slice_table.frame()


def plan_sharding(
    task: Task, strategy: Strategy, chips: Ints, *, sequences: int = 1, there: int = 0
) -> ShardingPlan:
    """Return the sharding plan of a strategy, with stages balanced below layer grain.

    The slowest stage takes as few compute cycles as possible within each chip's memory.
    Among such partitions, cuts between modules are preferred to cuts inside one.

    Parameters
    ----------
    task
        Model, machine, context and batch, with the tensor group of the strategy.
    strategy
        The strategy.
    chips
        Chips in the order of use: replica after replica, stage after stage, member
        after member.
    sequences
        Sequences in flight in each replica.
    there
        Chips of the machine, for what a refusal offers; those given at least.

    Raises
    ------
    PlanError
        If the model does not allow the strategy, the context exceeds a table of learned
        positions, there are too few chips, or the weights, KV cache, activations and
        program do not fit. Then the message names the fullest chip, its missing bytes,
        and the smallest machine or longest context that fits.
    """
    check_model(strategy, task.model)
    check_positions(task.model, task.context)
    check_mirrors(task.model, mirrored=task.mirrored)
    if len(chips) < strategy.chips:
        raise PlanError(
            f"{strategy} takes {strategy.chips} chips but {len(chips)} are there"
        )
    assert task == task.split_as(strategy)
    plan = fitting_plan(task, strategy, chips, sequences=sequences)
    if plan is None:
        units = model_units(
            task.model, task.machine, tensor=strategy.tensor, pipeline=strategy.pipeline
        )
        raise capacity_error(task, strategy, units, chips, sequences, there=there)
    return plan


def fitting_plan(
    task: Task, strategy: Strategy, chips: Ints, *, sequences: int
) -> ShardingPlan | None:
    """Return the sharding plan of a strategy, or None if it does not fit in memory.

    Parameters are those of `plan_sharding`. There must be enough chips, and the model
    must allow the strategy.

    Raises
    ------
    PlanError
        If there are more stages than the model has smallest blocks.
    """
    units = model_units(
        task.model, task.machine, tensor=strategy.tensor, pipeline=strategy.pipeline
    )
    cuts = stage_cuts(task, units, pipeline=strategy.pipeline, sequences=sequences)
    if cuts is None:
        return None
    return staged_plan(task, strategy, chips, stage_blocks(units, cuts), sequences)


def staged_plan(
    task: Task,
    strategy: Strategy,
    chips: Ints,
    blocks: Sequence[tuple[Block, ...]],
    sequences: int,
) -> ShardingPlan:
    """Return the sharding plan whose stages hold `blocks`, whether they fit or not.

    Parameters
    ----------
    blocks
        Blocks of each stage in order. The other parameters are those of
        `plan_sharding`.
    """
    groups = np.asarray(chips[: strategy.chips], dtype=np.int64).reshape(
        strategy.data, strategy.pipeline, strategy.tensor
    )
    memories = stage_memories(task, blocks, sequences)
    stages = tuple(
        Stage(index, replica, groups[replica, index], held, memory)
        for replica in range(strategy.data)
        for index, (held, memory) in enumerate(zip(blocks, memories, strict=True))
    )
    return ShardingPlan(task, strategy, sequences, stages)
