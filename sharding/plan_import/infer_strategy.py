"""Inference of the strategy of a table of slices."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd

from sharding.parallelism.strategy import Strategy
from sharding.parallelism.tensor_group import FeedForwardLayout, grid_inputs
from sharding.plan_import.stage_members import is_grid
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from sharding.weights.tensor_names import names_of
from sharding.weights.weight_slices import block_slices
from specs.arrays import Ints
from specs.model import ModelSpec

_RECTANGLE = ["row_start", "row_end", "column_start", "column_end"]


def inferred_strategy(task: Task, table: pd.DataFrame, groups: list[Ints]) -> Strategy:
    """Return the strategy of the imported slices of one replica.

    What the slices do not show has its default: attention on the whole group, and the
    worst-case routing.

    Parameters
    ----------
    task
        The task; its split is ignored.
    table
        The slices of the replica.
    groups
        Chips of each stage, each of shape ``(tensor,)``.
    """
    tensor = len(groups[0])
    cut = is_grid(task.model, table) and grid_inputs(tensor) > 1
    layout = FeedForwardLayout.TWO_D if cut else FeedForwardLayout.ONE_D
    base = Strategy(
        tensor=tensor,
        pipeline=len(groups),
        expert=_experts(task.model, table, tensor)
        if layout is FeedForwardLayout.ONE_D
        else 1,
        layout=layout,
    )
    divisors = [part for part in range(1, tensor) if tensor % part == 0]
    for attention in (0, *reversed(divisors)):
        strategy = replace(base, attention=attention)
        split_task = task.split_as(strategy)
        if any(_has_attention(split_task, table, chips) for chips in groups):
            return strategy
    return base


def _experts(model: ModelSpec, table: pd.DataFrame, tensor: int) -> int:
    """Return the number of expert groups, from the experts that a chip holds."""
    if model.experts == 1:
        return 1
    up = re.escape(names_of(model.family, experts=model.experts).up)
    numbered = up.replace(r"\{layer\}", r"\d+").replace(r"\{expert\}", r"(\d+)")
    expert = table["tensor"].str.extract(rf"^{numbered}\.weight$", expand=False)
    held = int(expert.groupby(table["chip"]).nunique().max())
    groups = model.experts // held if held else 1
    return 1 if tensor % groups or model.experts % groups else groups


def _has_attention(task: Task, table: pd.DataFrame, chips: Ints) -> bool:
    """Return whether the attention of layer 0 has the slices of the task."""
    expected = set()
    for part in block_slices(
        task.model, Block(BlockKind.ATTENTION, 0, 0, 1, 1), task.group
    ):
        edges = np.array(
            [part.row_start, part.row_end, part.column_start, part.column_end]
        )
        for member in np.flatnonzero(part.elements).tolist():
            where = tuple(edges[:, member].tolist())
            expected.add((part.tensor, int(chips[member]), *where))
    names = {tensor for tensor, *_ in expected}
    rows = table[table["tensor"].isin(names)]
    actual = set(
        rows[["tensor", "chip", *_RECTANGLE]].itertuples(index=False, name=None)
    )
    return expected == actual
