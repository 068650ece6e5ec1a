"""Which strategy a table of slices was cut by, as far as its slices tell."""

from dataclasses import replace

import numpy as np
import pandas as pd

from sharding.parallelism.strategy import Strategy
from sharding.parallelism.tensor_group import FeedForwardLayout, grid_inputs
from sharding.plan_import.stage_members import is_grid
from sharding.transformer.blocks import Block, BlockKind
from sharding.transformer.task import Task
from sharding.transformer.weight_slices import block_slices
from specs.arrays import Ints
from specs.model import ModelSpec

_RECTANGLE = ["row_start", "row_end", "column_start", "column_end"]


def recognised(task: Task, table: pd.DataFrame, groups: list[Ints]) -> Strategy:
    """Return the strategy by which the rows of one replica were cut.

    What a table does not tell is taken as usual: a group that shares all it has, and
    the worst of routings.

    Parameters
    ----------
    task
        The job.
    table
        The slices.
    groups
        Chips of each stage, each of shape ``(tensor,)``.
    """
    tensor = len(groups[0])
    cut = is_grid(task.model, table) and grid_inputs(tensor) > 1
    layout = FeedForwardLayout.TWO_D if cut else FeedForwardLayout.ONE_D
    usual = Strategy(
        tensor=tensor,
        pipeline=len(groups),
        expert=_experts(task.model, table, tensor)
        if layout is FeedForwardLayout.ONE_D
        else 1,
        layout=layout,
    )
    divisors = [part for part in range(1, tensor) if tensor % part == 0]
    for attention in (0, *reversed(divisors)):
        strategy = replace(usual, attention=attention)
        job = task.split_as(strategy)
        if any(_has_attention(job, table, chips) for chips in groups):
            return strategy
    return usual


def _experts(model: ModelSpec, table: pd.DataFrame, tensor: int) -> int:
    """Return the groups of experts: each chip has all experts of its own, or none."""
    if model.experts == 1:
        return 1
    expert = table["tensor"].str.extract(r"experts\.(\d+)\.w1\.weight", expand=False)
    held = int(expert.groupby(table["chip"]).nunique().max())
    groups = model.experts // held if held else 1
    return 1 if tensor % groups or model.experts % groups else groups


def _has_attention(task: Task, table: pd.DataFrame, chips: Ints) -> bool:
    """Return whether layer 0 has its attention where the task puts it."""
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
    found = set(
        rows[["tensor", "chip", *_RECTANGLE]].itertuples(index=False, name=None)
    )
    return expected == found
