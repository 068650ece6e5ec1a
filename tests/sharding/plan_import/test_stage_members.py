from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from sharding.plan_import.stage_members import check_chips, is_grid, stage_members
from sharding.planner.plan import ShardingPlan
from specs.errors import PlanError
from specs.model import ModelSpec

Planned = Callable[[str], ShardingPlan]


@pytest.fixture
def table(planned: Planned) -> pd.DataFrame:
    """Return the slices of two stages of two chips."""
    return planned("tensor=2,pipeline=2").slices.copy()


def members(model: ModelSpec, table: pd.DataFrame) -> list[list[int]]:
    return [chips.tolist() for chips in stage_members(model, table)]


def test_members_follow_their_column_shares_whatever_the_order_of_rows(
    tiny: ModelSpec, table: pd.DataFrame
) -> None:
    assert members(tiny, table) == [[0, 1], [2, 3]]
    assert members(tiny, table[::-1]) == [[0, 1], [2, 3]]
    renumbered = table.assign(chip=9 - table["chip"])
    assert members(tiny, renumbered) == [[9, 8], [7, 6]]


def test_members_of_a_2d_layout_follow_the_order_of_rows(
    tiny: ModelSpec, planned: Planned
) -> None:
    table = planned("tensor=4,pipeline=1,layout=2d").slices
    assert is_grid(tiny, table)
    assert members(tiny, table) == [[0, 1, 2, 3]]
    assert members(tiny, table[::-1]) == [[3, 2, 1, 0]]


def test_only_a_2d_layout_cuts_the_inputs_of_a_feed_forward(
    tiny: ModelSpec, table: pd.DataFrame
) -> None:
    assert not is_grid(tiny, table)


def test_stages_are_numbered_without_a_gap(
    tiny: ModelSpec, table: pd.DataFrame
) -> None:
    first = table.index[table["stage"] == 1][0]
    gap = table.assign(stage=2 * table["stage"])
    message = rf"row {first}: stage 2 is where stage 1 is expected"
    with pytest.raises(PlanError, match=message):
        stage_members(tiny, gap)


def test_stages_are_equally_wide(tiny: ModelSpec, table: pd.DataFrame) -> None:
    last = table.index[-1]
    wider = table.assign(chip=table["chip"].where(table.index != last, 4))
    message = rf"row {last}: stage 1 is on 3 chips and stage 0 on 2"
    with pytest.raises(PlanError, match=message):
        stage_members(tiny, wider)


def test_chips_that_are_available_and_in_one_stage_pass(table: pd.DataFrame) -> None:
    check_chips(table, np.arange(4))


def test_a_chip_that_is_not_available_is_refused(table: pd.DataFrame) -> None:
    first = table.index[table["chip"] == 3][0]
    message = rf"row {first}: chip 3 is not one of the 3 chips in use, 0 to 2"
    with pytest.raises(PlanError, match=message):
        check_chips(table, np.arange(3))


@pytest.mark.parametrize("kind", ["stage", "replica"])
def test_a_chip_belongs_where_most_of_its_rows_are(
    table: pd.DataFrame, kind: str
) -> None:
    moved = table.assign(**{kind: table[kind].where(table.index != 0, 7)})
    message = rf"row 0: chip 0 is in {kind} 7 and in {kind} 0; a chip is in one"
    with pytest.raises(PlanError, match=message):
        check_chips(moved, np.arange(4))
