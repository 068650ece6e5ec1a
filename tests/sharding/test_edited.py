from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sharding.edited import edited_plan
from sharding.group import Routing
from sharding.plan import ShardingPlan, plan_sharding
from sharding.strategy import Strategy
from sharding.task import Task
from specs.errors import PlanError
from specs.machine import load_machine
from specs.model import ModelSpec

Edit = Callable[[pd.DataFrame], pd.DataFrame]


def _planned(
    model: ModelSpec, tensor: int, pipeline: int, data: int = 1
) -> ShardingPlan:
    task = Task(model, load_machine(), tensor, 16, 1)
    strategy = Strategy(tensor=tensor, pipeline=pipeline, data=data)
    return plan_sharding(task, strategy, np.arange(strategy.chips))


def _read(plan: ShardingPlan, table: pd.DataFrame) -> ShardingPlan:
    active = np.arange(plan.strategy.chips + 2)
    table = table.drop(columns=["tensor_rows", "tensor_columns"])
    return edited_plan(plan.task, table, active, sequences=1)


def _written(plan: ShardingPlan) -> pd.DataFrame:
    table = plan.slices.copy()
    table.index += 2
    return table


@given(
    model=...,
    tensor=st.integers(1, 6),
    pipeline=st.integers(1, 5),
    data=st.integers(1, 2),
)
def test_a_plan_that_is_written_and_read_is_the_same(
    model: ModelSpec, tensor: int, pipeline: int, data: int
) -> None:
    plan = _planned(model, tensor, pipeline, data)
    if model.family in ("phi3", "gpt2", "bert", "roberta"):
        with pytest.raises(PlanError, match=f"family {model.family} do not tell"):
            _read(plan, _written(plan))
        return
    again = _read(plan, _written(plan))
    assert again.strategy == plan.strategy
    pd.testing.assert_frame_equal(again.slices, plan.slices)
    for stage, same in zip(plan.stages, again.stages, strict=True):
        assert [b.opens for b in stage.blocks] == [b.opens for b in same.blocks]
        assert [b.closes for b in stage.blocks] == [b.closes for b in same.blocks]
        assert np.array_equal(stage.memory.total, same.memory.total)


@given(task=..., pipeline=st.integers(1, 4))
def test_how_a_group_shares_a_layer_is_read_from_the_slices(
    task: Task, pipeline: int
) -> None:
    assume(task.model.family not in ("phi3", "gpt2", "bert", "roberta"))
    strategy = Strategy(
        tensor=task.tensor,
        pipeline=pipeline,
        expert=task.expert,
        attention=task.attention,
        layout=task.layout,
        routing=task.routing,
    )
    plan = plan_sharding(task, strategy, np.arange(strategy.chips))
    again = _read(plan, _written(plan))
    # What a router does is not in the slices.
    assert again.strategy == replace(strategy, routing=Routing.WORST)
    pd.testing.assert_frame_equal(again.slices, plan.slices)


@pytest.fixture
def plan() -> ShardingPlan:
    model = ModelSpec(
        name="small",
        family="llama",
        hidden_size=32,
        intermediate_size=48,
        layers=4,
        attention_heads=4,
        kv_heads=2,
        head_dim=8,
        vocabulary_size=64,
        tied_embeddings=False,
        experts=1,
        experts_per_token=1,
        max_context_tokens=128,
    )
    return _planned(model, 2, 2)


def test_a_layer_can_move_to_the_stage_before_and_a_stage_to_other_chips(
    plan: ShardingPlan,
) -> None:
    table = _written(plan)
    layer = int(table.loc[table["stage"] == 1, "layer"].min())
    moved = (table["stage"] == 1) & (table["layer"] == layer)
    table.loc[moved, "stage"] = 0
    table.loc[moved, "chip"] -= 2
    last = table["stage"] == 1
    table.loc[last, "chip"] += 2
    # Had the layer been cut, its parts would be two rows of a tensor on a chip.
    assert not table.duplicated(["chip", "tensor"]).any()
    after = _read(plan, table)
    assert after.weight_bytes == plan.weight_bytes
    assert after.stages[1].chips.tolist() == [4, 5]
    assert all(block.layer > layer for block in after.stages[1].blocks)


def test_a_table_that_names_no_replica_is_one(plan: ShardingPlan) -> None:
    table = _written(plan).drop(columns="replica")
    assert _read(plan, table).strategy == plan.strategy


EDITS: dict[str, tuple[Edit, str]] = {
    "a weight twice": (
        lambda t: pd.concat([t, t.loc[[9]].set_axis([99])]),
        "rows 8 to 99: .*2 chips",
    ),
    "a weight missing": (lambda t: t.drop(9), "rows? 8.*0 chips"),
    "an unknown chip": (lambda t: t.assign(chip=t["chip"] + 77), "row 2: chip 77"),
    "a chip in two stages": (
        lambda t: t.assign(chip=t["chip"] % 2),
        r"row \d+: chip 0 is in stage 1 and in stage 0",
    ),
    "a chip in two replicas": (
        lambda t: t.assign(replica=t["layer"].gt(0).astype(int)),
        r"row \d+: chip 0 is in replica 1 and in replica 0",
    ),
    "a gap in the replicas": (
        lambda t: t.assign(replica=1),
        "row 2: replica 1 is where replica 0 is expected",
    ),
    "replicas split differently": (
        lambda t: pd.concat(
            [
                t,
                t.assign(
                    replica=1, chip=4 + t["chip"] % 2, stage=0, index=t.index + 500
                ).set_index("index"),
            ]
        ),
        r"row \d+: chip 4 holds rows|row \d+: replica 1 is split as",
    ),
    "a gap in the stages": (
        lambda t: t.assign(stage=2 * t["stage"]),
        r"row \d+: stage 2 follows stage 0",
    ),
    "stages in the wrong order": (
        lambda t: t.assign(stage=1 - t["stage"]),
        r"row \d+: stage 1 holds embedding",
    ),
    "a share that is not even": (
        lambda t: t.assign(bytes=t["bytes"].where(t.index != 9, 1)),
        "row 9: chip 1 holds rows",
    ),
    "another tensor": (
        lambda t: t.assign(tensor=t["tensor"].where(t.index != 9, "bias")),
        "row 9: small has no bias",
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_bad_edit_is_refused_with_its_row(plan: ShardingPlan, name: str) -> None:
    edit, message = EDITS[name]
    with pytest.raises(PlanError, match=message):
        _read(plan, edit(_written(plan)))


def test_a_chip_that_holds_too_much_is_refused_with_its_largest_row(
    plan: ShardingPlan,
) -> None:
    machine = load_machine().with_settings(
        {"chip.program_reserve_bytes": 0, "chip.sram_bytes": 10_000}
    )
    small = ShardingPlan(
        plan.task._replace(machine=machine), plan.strategy, 1, plan.stages
    )
    with pytest.raises(PlanError, match=r"row \d+: chip \d of stage \d needs [\d,]+"):
        _read(small, _written(plan))
