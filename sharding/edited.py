"""A plan from a table that a person may have edited, or the row that cannot be meant.

Stages may be cut anywhere, down to a row of a matrix, and may be on any chips. Within a
stage each chip holds its even share of every tensor: that is what its group computes.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from sharding.coverage import check_coverage
from sharding.plan import ShardingPlan, staged_plan
from sharding.recognition import recognised
from sharding.shares import check_memory, check_shares
from sharding.slices import Ints
from sharding.suitability import check_model
from sharding.task import Task
from sharding.tensors import block_slices
from sharding.units import Block, Kind
from specs.errors import PlanError
from specs.model import ModelSpec

_ORDER = [Kind.EMBEDDING, Kind.ATTENTION, Kind.FEED_FORWARD, Kind.HEAD]
# Families whose projections have a tensor each, by which a cut can be told.
_READ = ("llama", "mistral", "mixtral", "gemma2", "qwen2", "qwen3")


def edited_plan(
    task: Task, table: pd.DataFrame, active: Ints, *, sequences: int
) -> ShardingPlan:
    """Return the plan that a table of slices describes.

    Parameters
    ----------
    task
        Model, machine, context and batch; the width is that of the table's stages.
    table
        One row for each slice of a tensor on a chip, with the columns of ``plan.csv``;
        the index is how a row is called in messages. Without a column ``replica`` there
        is one replica.
    active
        Chips that may be used.
    sequences
        Sequences in flight.

    Raises
    ------
    PlanError
        If a weight is on no chip or on two, a chip is unknown, in two stages or holds
        more than its SRAM, or stages are not consecutive parts of the model shared out
        evenly: the message names the row. If plans of the family are not read.
    """
    if task.model.family not in _READ:
        raise PlanError(
            f"{task.model.name}: the tensors of family {task.model.family} do not tell "
            f"where its blocks are cut; plans of {', '.join(_READ)} are read, name a "
            f"strategy such as tensor={task.tensor} for others"
        )
    if "replica" not in table:
        table = table.assign(replica=0)
    _check_chips(table, active)
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
    """Return the plan of one replica, whose rows are in `table`."""
    if number != expected:
        raise PlanError(
            f"row {table.index[0]}: replica {number} is where replica {expected} is "
            "expected; number the replicas 0, 1, 2 without a gap"
        )
    groups = _groups(table)
    strategy = recognised(task, table, groups)
    check_model(strategy, task.model)
    task = task.split_as(strategy)
    _check_tensors(task, table)
    blocks = [
        _blocks(task.model, part) for _, part in table.groupby("stage", sort=True)
    ]
    _check_order(table, blocks)
    chips = np.concatenate(groups)
    plan = staged_plan(task, strategy, chips, blocks, sequences)
    check_shares(table, plan)
    check_memory(table, plan)
    stages = tuple(replace(stage, replica=number) for stage in plan.stages)
    return replace(plan, stages=stages)


def _check_chips(table: pd.DataFrame, active: Ints) -> None:
    unknown = table[~table["chip"].isin(active)]
    if len(unknown):
        raise PlanError(
            f"row {unknown.index[0]}: chip {int(unknown['chip'].iloc[0])} is not one "
            f"of the {len(active)} chips in use, {active.min()} to {active.max()}"
        )
    for kind in ("replica", "stage"):
        _check_one(table, kind)


def _check_one(table: pd.DataFrame, kind: str) -> None:
    """Refuse a chip that is in two replicas, or in two stages."""
    first = table.groupby("chip")[kind].transform("first")
    moved = table[table[kind] != first]
    if len(moved):
        number, other = int(moved[kind].iloc[0]), int(first[moved.index[0]])
        raise PlanError(
            f"row {moved.index[0]}: chip {int(moved['chip'].iloc[0])} is in {kind} "
            f"{number} and in {kind} {other}; a chip is in one"
        )


def _whole_blocks(model: ModelSpec) -> list[Block]:
    layers = range(model.layers)
    return [
        Block(Kind.EMBEDDING, -1, 0, 1, 1),
        *(Block(Kind.ATTENTION, layer, 0, 1, 1) for layer in layers),
        *(Block(Kind.FEED_FORWARD, layer, 0, 1, 1) for layer in layers),
        Block(Kind.HEAD, model.layers, 0, 1, 1),
    ]


def _check_tensors(task: Task, table: pd.DataFrame) -> None:
    """Refuse tensors that the model lacks, weights missing, and weights held twice."""
    model = task.model
    shapes = {
        part.tensor: (block.layer, part.rows, part.columns)
        for block in _whole_blocks(model)
        for part in block_slices(model, block, task.group)
    }
    for row, tensor, layer in zip(
        table.index, table["tensor"], table["layer"], strict=True
    ):
        if tensor not in shapes or shapes[tensor][0] != layer:
            raise PlanError(f"row {row}: {model.name} has no {tensor} in layer {layer}")
    held = set(table["tensor"])
    for tensor in shapes:
        if tensor not in held:
            raise PlanError(f"no row holds {tensor}: all of it is missing")
    known = pd.DataFrame(
        [shapes[tensor][1:] for tensor in table["tensor"]],
        columns=["tensor_rows", "tensor_columns"],
        index=table.index,
    )
    try:
        check_coverage(table.assign(replica=0).join(known))
    except PlanError as error:
        tensor = str(error).partition(":")[0]
        rows = table.index[table["tensor"] == tensor]
        raise PlanError(f"rows {rows[0]} to {rows[-1]}: {error}") from None


def _groups(table: pd.DataFrame) -> list[Ints]:
    """Return the chips of each stage, in the order in which they first appear."""
    groups: list[Ints] = []
    for expected, stage in enumerate(np.unique(table["stage"]).tolist()):
        part = table[table["stage"] == stage]
        if stage != expected:
            raise PlanError(
                f"row {part.index[0]}: stage {stage} follows stage {expected - 1}; "
                "number the stages 0, 1, 2 without a gap"
            )
        groups.append(part["chip"].unique().astype(np.int64))
        if len(groups[-1]) != len(groups[0]):
            raise PlanError(
                f"row {part.index[0]}: stage {stage} is on {len(groups[-1])} chips and "
                f"stage 0 on {len(groups[0])}; all stages are equally wide"
            )
    return groups


def _blocks(model: ModelSpec, stage: pd.DataFrame) -> tuple[Block, ...]:
    """Return the blocks of which a stage holds any part, in order."""
    blocks = []
    for layer, part in stage.groupby("layer", sort=True):
        number = int(str(layer))
        for kind in _ORDER:
            cut = _cut_rows(model, part, kind)
            if cut is None:
                continue
            low, high, size = cut
            blocks.append(Block(kind, number, low, high, size))
    return tuple(blocks)


def _cut_rows(
    model: ModelSpec, part: pd.DataFrame, kind: Kind
) -> tuple[int, int, int] | None:
    """Return which rows of a kind of block there are, and of how many; None if none."""
    if kind is Kind.ATTENTION:
        found = part["tensor"].str.contains("self_attn.q_proj").any()
        return (0, 1, 1) if found else None
    name = {
        Kind.EMBEDDING: "embed_tokens",
        Kind.FEED_FORWARD: r"mlp\.gate_proj|experts\.0\.w1",
        Kind.HEAD: "lm_head",
    }[kind]
    rows = part[part["tensor"].str.contains(name)]
    if rows.empty:
        return None
    feed_forward = kind is Kind.FEED_FORWARD
    size = model.intermediate_size if feed_forward else model.vocabulary_size
    return int(rows["row_start"].min()), int(rows["row_end"].max()), size


def _check_order(table: pd.DataFrame, blocks: list[tuple[Block, ...]]) -> None:
    """Refuse stages that are not consecutive parts of the model."""
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
