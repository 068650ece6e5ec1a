"""A plan read from the CSV that ``groqrack plan --out`` writes."""

from pathlib import Path

import numpy as np
import pandas as pd

from sharding.edited import edited_plan
from sharding.plan import ShardingPlan
from sharding.slices import Ints
from sharding.task import Task
from specs.errors import PlanError

SUFFIX = ".csv"
_NUMBERS = [
    "chip",
    "stage",
    "layer",
    "row_start",
    "row_end",
    "column_start",
    "column_end",
    "bytes",
]


def read_plan(path: Path, task: Task, active: Ints, *, sequences: int) -> ShardingPlan:
    """Return the plan of a file, whose rows are counted as an editor counts lines.

    Parameters are those of `sharding.edited.edited_plan`.

    Raises
    ------
    PlanError
        If the file cannot be read, a column is missing, a value is no whole number, or
        the plan is not one: the message names file and row.
    """
    try:
        text = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise PlanError(f"{path}: no plan can be read: {error}") from None
    missing = [name for name in [*_NUMBERS, "tensor"] if name not in text.columns]
    if missing:
        raise PlanError(
            f"{path}: no column {missing[0]!r}; write a plan with groqrack plan --out"
        )
    if text.empty:
        raise PlanError(f"{path}: holds no rows; write a plan with groqrack plan --out")
    # The header is line 1.
    text.index += 2
    table = text[["tensor"]].copy()
    # A plan of one replica need not say so.
    optional = [name for name in ["replica"] if name in text.columns]
    for name in [*_NUMBERS, *optional]:
        # A layer of -1 is the embedding's. Longer numbers would not fit 64 bits.
        wrong = text[~text[name].str.fullmatch(r"-?\d{1,15}")]
        if len(wrong):
            raise PlanError(
                f"{path}: row {wrong.index[0]}: {name} is "
                f"{str(wrong[name].iloc[0])!r}, expected a whole number"
            )
        table[name] = text[name].astype(np.int64)
    try:
        return edited_plan(task, table, active, sequences=sequences)
    except PlanError as error:
        raise PlanError(f"{path}: {error}") from None
