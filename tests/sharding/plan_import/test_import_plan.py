import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sharding.parallelism.strategy import Strategy
from sharding.parallelism.tensor_group import Routing
from sharding.plan_import.import_plan import edited_plan
from sharding.planner.plan import ShardingPlan, plan_sharding, staged_plan
from sharding.weights.blocks import BlockKind, merged
from sharding.weights.task import Task
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


@settings(max_examples=20)
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
    again = _read(plan, _written(plan))
    assert again.strategy == plan.strategy
    pd.testing.assert_frame_equal(again.slices, plan.slices)
    for stage, same in zip(plan.stages, again.stages, strict=True):
        assert [b.opens for b in stage.blocks] == [b.opens for b in same.blocks]
        assert [b.closes for b in stage.blocks] == [b.closes for b in same.blocks]
        assert np.array_equal(stage.memory.total, same.memory.total)


@settings(max_examples=20)
@given(task=..., pipeline=st.integers(1, 4))
def test_how_a_group_shares_a_layer_is_read_from_the_slices(
    task: Task, pipeline: int
) -> None:
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
    said = _read(plan, _written(plan).assign(routing=str(task.routing)))
    assert said.strategy == strategy


@settings(max_examples=20)
@given(
    model=...,
    tensor=st.integers(1, 6),
    pipeline=st.integers(1, 4),
    order=st.randoms(use_true_random=False),
)
def test_the_order_of_rows_says_nothing(
    model: ModelSpec, tensor: int, pipeline: int, order: random.Random
) -> None:
    plan = _planned(model, tensor, pipeline)
    table = _written(plan)
    # A stage that holds no whole tensor's width tells its members by their order.
    widths = table.groupby(["stage", "tensor"])["chip"].agg(["nunique", "size"])
    norms = widths[(widths == tensor).all(axis=1)].reset_index()
    narrow = norms["tensor"].str.contains("norm|ln_|wte|embed|LayerNorm")
    assume(norms[narrow]["stage"].nunique() == pipeline)
    rows = list(table.index)
    order.shuffle(rows)
    again = _read(plan, table.loc[rows])
    pd.testing.assert_frame_equal(again.slices, plan.slices)


def _small() -> ModelSpec:
    return ModelSpec(
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


@pytest.fixture
def plan() -> ShardingPlan:
    return _planned(_small(), 2, 2)


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


@settings(max_examples=20)
@given(cut=st.integers(1, 47), layer=st.integers(0, 3))
def test_a_cut_can_move_to_any_row_within_a_layer(cut: int, layer: int) -> None:
    plan = _planned(_small(), 2, 2)
    blocks = [*plan.stages[0].blocks, *plan.stages[1].blocks]
    whole = merged(
        [
            b._replace(
                first=48 * b.first // b.parts, last=48 * b.last // b.parts, parts=48
            )
            if b.kind is BlockKind.FEED_FORWARD
            else b
            for b in blocks
        ]
    )
    place = next(
        i
        for i, b in enumerate(whole)
        if (b.kind, b.layer) == (BlockKind.FEED_FORWARD, layer)
    )
    first = (*whole[:place], whole[place]._replace(last=cut))
    second = (whole[place]._replace(first=cut), *whole[place + 1 :])
    meant = staged_plan(plan.task, plan.strategy, np.arange(4), [first, second], 1)
    again = _read(plan, _written(meant))
    pd.testing.assert_frame_equal(again.slices, meant.slices)
    cuts = [
        [(b.kind, b.layer, b.opens, b.closes) for b in s.blocks] for s in again.stages
    ]
    assert cuts[0][-1] == (BlockKind.FEED_FORWARD, layer, True, False)
    assert cuts[1][0] == (BlockKind.FEED_FORWARD, layer, False, True)


def test_a_table_that_names_no_replica_is_one(plan: ShardingPlan) -> None:
    table = _written(plan).drop(columns="replica")
    assert _read(plan, table).strategy == plan.strategy


def _one(column: str, value: int | str) -> Edit:
    """Return the edit of one cell, in row 9: the second part of a projection."""
    return lambda t: t.assign(**{column: t[column].where(t.index != 9, value)})


EDITS: dict[str, tuple[Edit, str]] = {
    "a weight twice": (
        lambda t: pd.concat([t, t.loc[[9]].set_axis([99])]),
        "row 99: rows 8..15, .*are in row 9 already",
    ),
    "a weight missing": (
        lambda t: t.drop(9),
        "row 8: rows 8..15, .*next to it and in no row",
    ),
    "a tensor missing": (
        lambda t: t[~t["tensor"].str.contains("k_proj")],
        "no row holds model.layers.0.self_attn.k_proj.weight",
    ),
    "two slices that overlap": (_one("row_start", 5), "row 9: rows 5..7, .*row 8"),
    "a gap between two slices": (_one("row_start", 12), "row 8: rows 8..11, .*no row"),
    "a slice beyond the tensor": (
        _one("row_end", 99),
        "row 9: rows 8 to 99, .*which is 16 x 32",
    ),
    "a slice that ends before it begins": (_one("row_end", 3), "row 9: rows 8 to 3"),
    "a slice before the tensor": (_one("column_start", -1), "row 9: .*columns -1 to"),
    "an unknown chip": (lambda t: t.assign(chip=t["chip"] + 77), "row 2: chip 77"),
    "one row on a chip of another stage": (
        _one("chip", 3),
        "row 9: chip 3 is in stage 0 and in stage 1",
    ),
    "one row on a chip of no stage": (
        _one("chip", 4),
        "row 9: stage 0 is on 3 chips and stage 1 on 2",
    ),
    "one row in another stage": (
        _one("stage", 1),
        "row 9: chip 1 is in stage 1 and in stage 0",
    ),
    "a chip in two stages": (
        lambda t: t.assign(chip=t["chip"] % 2),
        r"row \d+: chip 0 is in stage \d and in stage \d",
    ),
    "a chip in two replicas": (
        lambda t: t.assign(replica=t["layer"].gt(0).astype(int)),
        r"row \d+: chip 0 is in replica 1 and in replica 0",
    ),
    "an unknown word for the routing": (
        lambda t: t.assign(routing="best"),
        "row 2: routing is 'best', expected worst or balanced or all",
    ),
    "two words for the routing": (
        lambda t: t.assign(routing="worst").pipe(_one("routing", "balanced")),
        "row 9: routing is 'balanced', .*same in every row",
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
        r"row \d+: stage 2 is where stage 1 is expected",
    ),
    "stages in the wrong order": (
        lambda t: t.assign(stage=1 - t["stage"]),
        r"row \d+: stage 1 holds embedding",
    ),
    "a share that is not even": (
        _one("bytes", 1),
        "row 9: chip 1 holds rows",
    ),
    "another tensor": (
        _one("tensor", "bias"),
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


@pytest.mark.parametrize(("tensor", "pipeline"), [(1, 5), (4, 1), (3, 2)])
def test_layers_of_linear_attention_are_read_as_well(
    tensor: int, pipeline: int, linear_model: ModelSpec
) -> None:
    plan = _planned(linear_model, tensor, pipeline)
    again = _read(plan, _written(plan))
    assert again.strategy == plan.strategy
    pd.testing.assert_frame_equal(again.slices, plan.slices)
