from collections.abc import Callable

import pandas as pd
import pytest

from sharding.plan_import.check_completeness import check_completeness
from sharding.planner.plan import ShardingPlan
from specs.errors import PlanError

Planned = Callable[[str], ShardingPlan]
# Eight rows and twelve columns, of which each of two chips has six.
DOWN = "model.layers.0.mlp.down_proj.weight"


@pytest.fixture
def plan(planned: Planned) -> ShardingPlan:
    return planned("tensor=2,pipeline=1")


def rows(plan: ShardingPlan, tensor: str) -> list[int]:
    table = plan.slices
    return [int(row) for row in table.index[table["tensor"] == tensor]]


def test_the_slices_of_a_plan_are_complete(plan: ShardingPlan) -> None:
    check_completeness(plan.task, plan.slices)


def test_the_order_of_rows_does_not_matter(plan: ShardingPlan) -> None:
    check_completeness(plan.task, plan.slices[::-1])


def test_a_missing_tensor_is_named(plan: ShardingPlan) -> None:
    table = plan.slices.drop(rows(plan, DOWN))
    with pytest.raises(PlanError, match=f"no row holds {DOWN}: all of it is missing"):
        check_completeness(plan.task, table)


def test_a_missing_slice_is_named_with_a_row_next_to_it(plan: ShardingPlan) -> None:
    first, second = rows(plan, DOWN)
    message = rf"row {first}: rows 0\.\.7, columns 6\.\.11 of {DOWN} are next to it"
    with pytest.raises(PlanError, match=message):
        check_completeness(plan.task, plan.slices.drop(second))


def test_a_slice_that_is_held_twice_names_both_rows(plan: ShardingPlan) -> None:
    first, _ = rows(plan, DOWN)
    twice = pd.concat([plan.slices, plan.slices.loc[[first]].set_axis([999])])
    message = rf"row 999: rows 0\.\.7, columns 0\.\.5 of {DOWN} are in row {first} al"
    with pytest.raises(PlanError, match=message):
        check_completeness(plan.task, twice)


def test_a_slice_beyond_its_tensor_is_refused(plan: ShardingPlan) -> None:
    _, second = rows(plan, DOWN)
    table = plan.slices.copy()
    table.loc[second, "column_end"] = 13
    message = rf"row {second}: rows 0 to 8, columns 6 to 13 .* which is 8 x 12"
    with pytest.raises(PlanError, match=message):
        check_completeness(plan.task, table)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("tensor", "bias", "llama-2-7b has no bias in layer 0"),
        ("layer", 1, f"llama-2-7b has no {DOWN} in layer 1"),
    ],
)
def test_a_tensor_that_the_model_lacks_is_refused(
    plan: ShardingPlan, column: str, value: str | int, message: str
) -> None:
    first, _ = rows(plan, DOWN)
    table = plan.slices.copy()
    table.loc[first, column] = value
    with pytest.raises(PlanError, match=f"row {first}: {message}"):
        check_completeness(plan.task, table)
