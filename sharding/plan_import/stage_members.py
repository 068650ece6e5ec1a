"""Stage members of a table of slices: the chips of each stage in order."""

from collections import Counter

import numpy as np
import pandas as pd

from sharding.weights.tensor_names import names_of
from specs.arrays import Ints
from specs.errors import PlanError
from specs.model import ModelSpec


def check_chips(table: pd.DataFrame, active: Ints) -> None:
    """Check that each imported chip is available, and in one replica and one stage.

    Parameters
    ----------
    table
        The slices of all replicas. Messages name rows by the index.
    active
        Chips that are available.

    Raises
    ------
    PlanError
        If a chip is not. The message names the row.
    """
    unknown = table[~table["chip"].isin(active)]
    if len(unknown):
        raise PlanError(
            f"row {unknown.index[0]}: chip {int(unknown['chip'].iloc[0])} is not one "
            f"of the {len(active)} chips in use, {active.min()} to {active.max()}"
        )
    for kind in ("replica", "stage"):
        _check_one(table, kind)


def _check_one(table: pd.DataFrame, kind: str) -> None:
    """Check that each chip is in one replica or in one stage, as `kind` says."""
    # A chip belongs where most of its rows are: an editing mistake is in few rows.
    counts = table.groupby(["chip", kind]).size().reset_index(name="rows")
    counts = counts.sort_values(["rows", kind], ascending=[False, True])
    most = counts.drop_duplicates("chip").set_index("chip")[kind]
    home = table["chip"].map(most)
    strange = table[table[kind] != home]
    if len(strange):
        row = strange.index[0]
        raise PlanError(
            f"row {row}: chip {int(strange['chip'].iloc[0])} is in {kind} "
            f"{int(strange[kind].iloc[0])} and in {kind} {int(home[row])}; a chip is "
            "in one"
        )


def stage_members(model: ModelSpec, table: pd.DataFrame) -> list[Ints]:
    """Return the chips of each stage of an imported replica in the order of members.

    Parameters
    ----------
    model
        The model that is split.
    table
        The slices of one replica. Messages name rows by the index.

    Returns
    -------
    list
        Chips of each stage, each of shape ``(tensor,)``.

    Raises
    ------
    PlanError
        If stages are not numbered from 0, or are not equally wide. The message names
        the row.
    """
    stages = [part for _, part in table.groupby("stage", sort=True)]
    for expected, part in enumerate(stages):
        number = int(part["stage"].iloc[0])
        if number != expected:
            raise PlanError(
                f"row {part.index[0]}: stage {number} is where stage {expected} is "
                "expected; number the stages 0, 1, 2 without a gap"
            )
    width = _width(stages)
    grid = is_grid(model, table)
    return [_members(part, width, grid=grid) for part in stages]


def is_grid(model: ModelSpec, table: pd.DataFrame) -> bool:
    """Return whether an imported plan has a 2D layout, with cut feed-forward inputs."""
    inward = {
        names_of(model.family, experts=model.experts_in(layer)).up.format(
            layer=layer, expert=0
        )
        + ".weight"
        for layer in range(model.layers)
    }
    starts = table.loc[table["tensor"].isin(inward), "column_start"]
    return bool((starts > 0).any())


def _width(stages: list[pd.DataFrame]) -> int:
    """Return the common number of chips of all stages.

    Raises
    ------
    PlanError
        If stages differ. The message names a row of the stage that differs.
    """
    widths = [part["chip"].nunique() for part in stages]
    width = max(Counter(widths).items(), key=lambda each: (each[1], -each[0]))[0]
    for number, part in enumerate(stages):
        if widths[number] == width:
            continue
        other = widths.index(width)
        row = part.index[0]
        if widths[number] > width:
            # The chip with the fewest rows is probably the wrong one.
            least = part["chip"].value_counts(sort=False).idxmin()
            row = part.index[part["chip"] == least][0]
        raise PlanError(
            f"row {row}: stage {number} is on {widths[number]} chips and stage {other} "
            f"on {width}; all stages are equally wide"
        )
    return width


def _members(part: pd.DataFrame, width: int, *, grid: bool) -> Ints:
    """Return the chips of a stage in the order of their column shares of one tensor.

    That order does not depend on the order of rows. If no tensor has one column share
    for each chip, or the layout is 2D, the order of rows decides.
    """
    if not grid:
        for _, rows in part.groupby("tensor", sort=False):
            first = rows["column_start"]
            shared = len(rows) == width == rows["chip"].nunique() == first.nunique()
            if shared and rows["row_start"].min() == rows["row_start"].max():
                return rows.sort_values("column_start")["chip"].to_numpy(np.int64)
    return part["chip"].unique().astype(np.int64)
