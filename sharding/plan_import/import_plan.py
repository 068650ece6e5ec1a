"""Import of a sharding plan from a table of slices that may have been edited.

Stages may be cut anywhere, down to a row of a matrix, and may be on any chips. Within a
stage each chip must hold its even share of every tensor: that is what a tensor group
computes with.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from sharding.parallelism.feasibility import check_model, check_positions
from sharding.parallelism.tensor_group import Routing
from sharding.plan_import.check_completeness import check_completeness
from sharding.plan_import.check_shares import check_edited_memory, check_shares
from sharding.plan_import.infer_strategy import inferred_strategy
from sharding.plan_import.stage_members import check_chips, stage_members
from sharding.planner.plan import ShardingPlan, staged_plan
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from sharding.weights.tensor_names import names_of
from specs.arrays import Ints
from specs.errors import PlanError
from specs.model import ModelSpec

_ORDER = [
    BlockKind.EMBEDDING,
    BlockKind.ATTENTION,
    BlockKind.FEED_FORWARD,
    BlockKind.HEAD,
]


def edited_plan(
    task: Task, table: pd.DataFrame, active: Ints, *, sequences: int
) -> ShardingPlan:
    """Return the sharding plan that an imported table of slices describes.

    Parameters
    ----------
    task
        Model, machine, context and batch. The tensor width is that of the table.
    table
        One row for each slice of a tensor on a chip, in any order, with the columns of
        ``plan.csv``. Messages name rows by the index. Without a column ``replica``
        there is one replica; without ``routing`` it is the worst case.
    active
        Chips that are available.
    sequences
        Sequences in flight.

    Raises
    ------
    PlanError
        If a weight is on no chip or on two, a chip is unknown, in two stages or beyond
        its SRAM, or stages are not consecutive parts of the model in even shares. The
        message names the row.
    """
    check_positions(task.model, task.context)
    if "replica" not in table:
        table = table.assign(replica=0)
    check_chips(table, active)
    replicas = [
        _replica(task, table[table["replica"] == number], number, expected, sequences)
        for expected, number in enumerate(np.unique(table["replica"]).tolist())
    ]
    first = replicas[0]
    for number, replica in enumerate(replicas):
        if replica.strategy != first.strategy:
            row = table.index[table["replica"] == number][0]
            raise PlanError(
                f"row {row}: replica {number} is split as {replica.strategy} and "
                f"replica 0 as {first.strategy}; all replicas are split alike"
            )
    return replace(
        first,
        strategy=replace(first.strategy, data=len(replicas)),
        stages=tuple(stage for replica in replicas for stage in replica.stages),
    )


def _replica(
    task: Task, table: pd.DataFrame, number: int, expected: int, sequences: int
) -> ShardingPlan:
    """Return the plan of the replica whose rows are in `table`."""
    if number != expected:
        raise PlanError(
            f"row {table.index[0]}: replica {number} is where replica {expected} is "
            "expected; number the replicas 0, 1, 2 without a gap"
        )
    groups = stage_members(task.model, table)
    strategy = replace(inferred_strategy(task, table, groups), routing=_routing(table))
    check_model(strategy, task.model)
    task = task.split_as(strategy)
    check_completeness(task, table)
    blocks = [
        _blocks(task.model, part) for _, part in table.groupby("stage", sort=True)
    ]
    _check_order(table, blocks)
    chips = np.concatenate(groups)
    plan = staged_plan(task, strategy, chips, blocks, sequences)
    check_shares(table, plan)
    check_edited_memory(table, plan)
    stages = tuple(replace(stage, replica=number) for stage in plan.stages)
    return replace(plan, stages=stages)


def _routing(table: pd.DataFrame) -> Routing:
    """Return the routing of a table, by default the worst case."""
    if "routing" not in table:
        return Routing.WORST
    choices = [str(choice) for choice in Routing]
    expected = " or ".join(choices)
    first = table["routing"].iloc[0]
    for row, value in table["routing"].items():
        if value not in choices or value != first:
            raise PlanError(
                f"row {row}: routing is {value!r}, expected {expected}, and the same "
                "in every row"
            )
    return Routing(first)


def _blocks(model: ModelSpec, stage: pd.DataFrame) -> tuple[Block, ...]:
    """Return the blocks of a stage, in order, from its slices."""
    blocks = []
    for layer, part in stage.groupby("layer", sort=True):
        number = int(str(layer))
        for kind in _ORDER:
            cut = _cut(model, part, kind, number)
            if cut is None:
                continue
            low, high, size = cut
            blocks.append(Block(kind, number, low, high, size))
    return tuple(blocks)


def _cut(
    model: ModelSpec, part: pd.DataFrame, kind: BlockKind, layer: int
) -> tuple[int, int, int] | None:
    """Return the first, end and total parts of a kind of block, or None if absent."""
    feeds_forward = kind is BlockKind.FEED_FORWARD
    experts = model.experts_in(layer) if feeds_forward else 1
    names = names_of(model.family, experts=experts)
    out = names.linear_output if model.is_linear(layer) else names.output
    name, edges, size = {
        BlockKind.EMBEDDING: (names.embedding, "row", model.vocabulary_size),
        BlockKind.ATTENTION: (out, None, 1),
        # The down projection is a separate tensor in every family, cut as the block is.
        BlockKind.FEED_FORWARD: (names.down, "column", model.inner_size(layer)),
        BlockKind.HEAD: (names.head, "row", model.vocabulary_size),
    }[kind]
    tensor = f"{name.format(layer=layer, expert=0)}.weight"
    if kind is BlockKind.HEAD and model.tied_embeddings:
        tensor += " (tied)"
    held = part[part["tensor"] == tensor]
    if held.empty:
        return None
    if edges is None or (kind is BlockKind.HEAD and model.structure.encoder):
        return 0, 1, 1
    return int(held[f"{edges}_start"].min()), int(held[f"{edges}_end"].max()), size


def _check_order(table: pd.DataFrame, blocks: list[tuple[Block, ...]]) -> None:
    """Check that stages are consecutive parts of the model."""
    latest: tuple[int, int, int] | None = None
    for stage, held in enumerate(blocks):
        for block in held:
            place = (block.layer, _ORDER.index(block.kind), block.first)
            if latest is not None and place < latest:
                layer = (table["stage"] == stage) & (table["layer"] == block.layer)
                raise PlanError(
                    f"row {table.index[layer][0]}: stage {stage} holds "
                    f"{block.kind.value} of layer {block.layer}, which comes before "
                    f"what stage {stage - 1} holds; stages follow the model"
                )
            latest = place
