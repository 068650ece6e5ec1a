"""Completeness of a table of slices: every weight of the model, each exactly once."""

import numpy as np
import pandas as pd

from sharding.planner.coverage import RECTANGLE, miscounted_rectangle
from sharding.weights.blocks import whole_blocks
from sharding.weights.group_slices import is_of_later_block
from sharding.weights.task import Task
from sharding.weights.weight_slices import block_slices
from specs.errors import PlanError


def check_completeness(task: Task, table: pd.DataFrame) -> None:
    """Check that an imported table holds every weight of the model exactly once.

    Parameters
    ----------
    task
        The model, and the tensor group that shares its layers.
    table
        The slices of one replica. Messages name rows by the index.

    Raises
    ------
    PlanError
        If the model has no such tensor, or a weight is on no chip or on two. The
        message names the row.
    """
    model = task.model
    # Where a module is cut, the later blocks have copies of its LayerNorm.
    table = table[~table["tensor"].map(is_of_later_block)]
    shapes = {
        part.tensor: (block.layer, part.rows, part.columns)
        for block in whole_blocks(model)
        for part in block_slices(model, block, task.group)
    }
    for row, tensor, layer in zip(
        table.index, table["tensor"], table["layer"], strict=True
    ):
        if tensor not in shapes or shapes[tensor][0] != layer:
            raise PlanError(f"row {row}: {model.name} has no {tensor} in layer {layer}")
    parts = dict(iter(table.groupby("tensor", sort=False)))
    for tensor, (_, rows, columns) in shapes.items():
        if tensor not in parts:
            raise PlanError(f"no row holds {tensor}: all of it is missing")
        _check_tensor(parts[tensor], tensor, rows, columns)


def _check_tensor(part: pd.DataFrame, tensor: str, rows: int, columns: int) -> None:
    """Check that slices lie within a tensor and cover it exactly once."""
    edges = part[RECTANGLE].to_numpy(dtype=np.int64)
    row, row_end, column, column_end = edges.T
    outside = (np.minimum(row, column) < 0) | (row_end > rows) | (column_end > columns)
    wrong = outside | (row_end <= row) | (column_end <= column)
    for number in np.flatnonzero(wrong).tolist():
        raise PlanError(
            f"row {part.index[number]}: rows {row[number]} to {row_end[number]}, "
            f"columns {column[number]} to {column_end[number]} (ends exclusive) are "
            f"no slice of {tensor}, which is {rows} x {columns}"
        )
    rectangle = miscounted_rectangle(edges, rows, columns)
    if rectangle is None:
        return
    low, high, left, right, count = rectangle
    where = f"rows {low}..{high - 1}, columns {left}..{right - 1} of {tensor}"
    if count:
        holds = (row <= low) & (row_end >= high) & (column <= left)
        first, second, *_ = part.index[holds & (column_end >= right)]
        raise PlanError(
            f"row {second}: {where} are in row {first} already; each weight is on "
            "exactly one chip"
        )
    beside = (row_end == low) | (row == high) | (column_end == left) | (column == right)
    next_to = part.index[beside][0] if beside.any() else part.index[0]
    raise PlanError(
        f"row {next_to}: {where} are next to it and in no row; each weight is on "
        "exactly one chip"
    )
