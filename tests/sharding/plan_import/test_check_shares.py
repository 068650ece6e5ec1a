from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest

from sharding.plan_import.check_shares import check_edited_memory, check_shares
from sharding.planner.plan import ShardingPlan
from specs.errors import PlanError

Planned = Callable[[str], ShardingPlan]
UP = "model.layers.0.mlp.up_proj.weight"


@pytest.fixture
def plan(planned: Planned) -> ShardingPlan:
    return planned("tensor=2,pipeline=1")


def rows(table: pd.DataFrame, tensor: str) -> list[int]:
    return [int(row) for row in table.index[table["tensor"] == tensor]]


def test_even_shares_pass_in_any_order(plan: ShardingPlan) -> None:
    check_shares(plan.slices, plan)
    check_shares(plan.slices[::-1], plan)


def test_shares_of_two_chips_cannot_be_exchanged(plan: ShardingPlan) -> None:
    table = plan.slices.copy()
    first, second = rows(table, UP)
    table.loc[[first, second], "chip"] = [1, 0]
    message = (
        rf"row {first}: chip 1 holds rows 0\.\.5, columns 0\.\.7 in 48 bytes of {UP}; "
        r"its even share in stage 0 is rows 6\.\.11, columns 0\.\.7 in 48 bytes"
    )
    with pytest.raises(PlanError, match=message):
        check_shares(table, plan)


def test_a_share_that_a_chip_has_twice_is_refused(plan: ShardingPlan) -> None:
    first, _ = rows(plan.slices, UP)
    twice = pd.concat([plan.slices, plan.slices.loc[[first]].set_axis([999])])
    message = f"row 999: chip 0 of stage 0 has no share of {UP}, or has it already"
    with pytest.raises(PlanError, match=message):
        check_shares(twice, plan)


def test_a_share_that_a_chip_lacks_is_named_where_its_stage_begins(
    plan: ShardingPlan,
) -> None:
    _, second = rows(plan.slices, UP)
    message = f"row 0: stage 0 begins here and chip 1 lacks its share of {UP}"
    with pytest.raises(PlanError, match=message):
        check_shares(plan.slices.drop(second), plan)


def test_a_chip_beyond_its_memory_is_named_with_its_largest_row(
    plan: ShardingPlan,
) -> None:
    check_edited_memory(plan.slices, plan)
    needed = plan.fullest_chip_bytes
    machine = plan.task.machine.with_settings({"chip.sram_bytes": needed - 1})
    small = replace(plan, task=plan.task._replace(machine=machine))
    own = plan.slices[plan.slices["chip"] == 0]
    largest = own["bytes"].idxmax()
    message = f"row {largest}: chip 0 of stage 0 needs {needed:,} bytes and has "
    with pytest.raises(PlanError, match=message + f"{needed - 1:,}; move a part"):
        check_edited_memory(plan.slices, small)
