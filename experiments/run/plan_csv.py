"""Plan file: a plan read from the CSV that ``groqrack plan --out`` writes."""

import csv
import io
from pathlib import Path

import numpy as np

from sharding.planner.plan import ShardingPlan
from sharding.weights.task import Task
from specs.arrays import Ints
from specs.errors import PlanError, SpecError
from specs.input_files import read_text

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
# A layer of -1 is the embedding's; more digits would not fit 64 bits; a program that
# takes every number for a fraction writes 3.0.
_WHOLE = r"-?[0-9]{1,15}(\.0+)?"


def read_plan(path: Path, task: Task, active: Ints, *, sequences: int) -> ShardingPlan:
    """Return the plan to run of a file, whose rows are counted as in an editor.

    Parameters are those of `sharding.plan_import.import_plan.edited_plan`.

    Raises
    ------
    PlanError
        If the file cannot be read, a column is missing, a value is no whole number, or
        the plan is not one: the message names file and row.
    """
    # Only a plan from a file is read as a table.
    import pandas as pd  # noqa: PLC0415

    from sharding.plan_import.import_plan import edited_plan  # noqa: PLC0415

    rows = _rows(path)
    if not rows:
        raise PlanError(f"{path}: holds no rows; write a plan with groqrack plan --out")
    text = pd.DataFrame.from_dict(rows, orient="index", dtype=str)
    missing = [name for name in [*_NUMBERS, "tensor"] if name not in text.columns]
    if missing:
        raise PlanError(
            f"{path}: no column {missing[0]!r} among {', '.join(text.columns)}; write "
            "a plan with groqrack plan --out"
        )
    # A plan of one replica need not say so, nor one whose routing is the worst.
    words = [name for name in ["tensor", "routing"] if name in text.columns]
    optional = [name for name in ["replica"] if name in text.columns]
    table = text[words].copy()
    for name in [*_NUMBERS, *optional]:
        wrong = text[~text[name].str.fullmatch(_WHOLE)]
        if len(wrong):
            raise PlanError(
                f"{path}: row {wrong.index[0]}: {name} is "
                f"{str(wrong[name].iloc[0])!r}, expected a whole number"
            )
        table[name] = text[name].str.partition(".")[0].astype(np.int64)
    try:
        return edited_plan(task, table, active, sequences=sequences)
    except PlanError as error:
        raise PlanError(f"{path}: {error}") from None


def _rows(path: Path) -> dict[int, dict[str, str]]:
    """Return the rows of the plan to run by column, by the line that an editor shows.

    What spreadsheets leave behind does no harm: a byte order mark, blanks around a
    cell, empty rows, and empty cells at the end of a row.
    """
    before = 0
    rows = {}
    try:
        text = read_text(path)
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        header = _cells(next(reader, []))
        before = reader.line_num
        for record in reader:
            # A quoted cell may go on for lines; its row is where it begins.
            row, before = before + 1, reader.line_num
            cells = _cells(record)
            if not cells:
                continue
            if len(cells) > len(header):
                raise PlanError(
                    f"{path}: row {row}: has {len(cells)} cells under "
                    f"{len(header)} headings; is a cell with a comma quoted?"
                )
            lacking = [""] * (len(header) - len(cells))
            rows[row] = dict(zip(header, [*cells, *lacking], strict=True))
    except csv.Error as error:
        raise PlanError(f"{path}: row {before + 1}: {error}") from None
    except SpecError as error:
        raise PlanError(f"no plan can be read: {error}") from None
    twice = [name for name in header if header.count(name) > 1]
    if twice:
        raise PlanError(f"{path}: column {twice[0]!r} is there twice; remove one")
    return rows


def _cells(record: list[str]) -> list[str]:
    """Return the cells of a row of the plan to run, without empty ones at its end."""
    cells = [cell.strip() for cell in record]
    while cells and not cells[-1]:
        cells.pop()
    return cells
