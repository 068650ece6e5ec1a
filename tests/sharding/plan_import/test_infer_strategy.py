from collections.abc import Callable

import pytest

from sharding.plan_import.infer_strategy import inferred_strategy
from sharding.planner.plan import ShardingPlan
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import ModelSpec

Planned = Callable[[str], ShardingPlan]


@pytest.mark.parametrize(
    "text",
    [
        "tensor=1,pipeline=3",
        "tensor=2,pipeline=2",
        "tensor=4,pipeline=2,attention=2",
        "tensor=4,pipeline=1,layout=2d",
        "tensor=6,pipeline=1,attention=3,layout=2d",
    ],
)
def test_a_strategy_is_inferred_from_its_slices(
    tiny: ModelSpec, planned: Planned, text: str
) -> None:
    plan = planned(text)
    task = Task(tiny, load_machine(), 1, 16, 1)
    groups = [stage.chips for stage in plan.stages]
    assert str(inferred_strategy(task, plan.slices, groups)) == text


def test_attention_that_no_split_explains_is_taken_as_shared_by_the_group(
    tiny: ModelSpec, planned: Planned
) -> None:
    plan = planned("tensor=4,pipeline=1,attention=2")
    table = plan.slices[~plan.slices["tensor"].str.contains("layers.0.self_attn")]
    groups = [stage.chips for stage in plan.stages]
    task = Task(tiny, load_machine(), 1, 16, 1)
    inferred = inferred_strategy(task, table, groups)
    assert str(inferred) == "tensor=4,pipeline=1"
