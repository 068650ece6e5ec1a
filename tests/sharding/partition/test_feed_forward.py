from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chip.dataflow import Function
from chip.operator_work import ProductWork, VectorWork
from sharding.operators.operands import Operand
from sharding.operators.operators import Compute, Exchange, ShardedOperator, Unit
from sharding.parallelism.tensor_group import FeedForwardLayout, Routing
from sharding.partition.block_operators import block_operators
from sharding.partition.expert_routing import choose_experts
from sharding.partition.feed_forward import activate
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from sharding.weights.weight_slices import block_slices
from specs.arrays import Ints
from specs.machine import load_machine
from specs.model import load_model
from workloads.operators import Function as GraphFunction

Cut = Callable[..., list[ShardedOperator]]

MACHINE = load_machine()
WHOLE = Block(BlockKind.FEED_FORWARD, 0, 0, 8, 8)
INWARD = (
    "gate_proj",
    "up_proj",
    "gate_up_proj",
    "c_fc",
    "fc1",
    "fc_in",
    "dense_h_to_4h",
    "intermediate.dense",
    "w1",
    "w3",
)
OUTWARD = (
    "down_proj",
    "mlp.c_proj",
    "fc2",
    "fc_out",
    "output.dense",
    "4h_to_h",
    "w2",
)


def weights(task: Task, block: Block) -> dict[str, Ints]:
    """Return the elements of the matrices of each product on each chip."""
    return {
        each.name: np.array(
            [work.weights for work in each.works if isinstance(work, ProductWork)]
        )
        for each in block_operators(task, block)
        if isinstance(each, Compute) and each.unit is Unit.MATMUL
    }


def exchanges(task: Task, block: Block) -> dict[str, Exchange]:
    operators = block_operators(task, block)
    return {each.name: each for each in operators if isinstance(each, Exchange)}


def held(task: Task, block: Block, *endings: str) -> Ints:
    """Return the weights on each chip of the tensors whose names end so."""
    return sum(
        (
            part.elements
            for part in block_slices(task.model, block, task.group)
            if part.tensor.removesuffix(".weight").endswith(endings)
        ),
        np.zeros(task.tensor, dtype=np.int64),
    )


@given(task=..., first=st.integers(0, 7), data=st.data())
def test_each_chip_multiplies_what_it_holds_of_the_experts_that_have_a_place(
    task: Task, first: int, data: st.DataObject
) -> None:
    task = task._replace(batch=1)
    part = WHOLE._replace(first=first, last=data.draw(st.integers(first + 1, 8)))
    own = task.model.experts // task.expert
    chosen = min(own, task.model.experts_per_token)
    if task.routing is Routing.BALANCED:
        chosen = min(chosen, -(-task.model.experts_per_token // task.expert))
    inward = "gate_up" if task.model.structure.gated else "up"
    multiplied = weights(task, part)
    for name, endings in ((inward, INWARD), ("down", OUTWARD)):
        share = held(task, part, *endings) * chosen // own
        assert multiplied[name].tolist() == share.tolist()


@pytest.mark.parametrize("expert", [1, 2, 4, 8])
def test_a_batch_that_may_need_every_expert_costs_no_more_in_groups(
    expert: int,
) -> None:
    task = Task(load_model("mixtral-8x7b"), MACHINE, 8, 64, 8, expert=expert)
    assert weights(task, WHOLE)["down"].tolist() == [4096 * 14336] * 8


def test_a_single_token_costs_as_many_times_more_as_groups_wait_for_one() -> None:
    one, two, four, eight = (
        int(weights(task, WHOLE)["down"].max())
        for task in (
            Task(load_model("mixtral-8x7b"), MACHINE, 8, 64, 1, expert=expert)
            for expert in (1, 2, 4, 8)
        )
    )
    assert (two, four, eight) == (2 * one, 4 * one, 4 * one)


def test_a_grid_gathers_a_part_of_its_input_and_adds_up_twice() -> None:
    task = Task(load_model("llama-2-70b"), MACHINE, 64, 64, 1)
    grid = task._replace(layout=FeedForwardLayout.TWO_D)
    names = [operator.name for operator in block_operators(grid, WHOLE)]
    assert names == [
        "norm",
        "gather",
        "gate_up",
        "scatter_columns",
        "reduce_columns",
        "activate",
        "gather_columns",
        "down",
        "scatter",
        "reduce",
    ]
    exchanged = exchanges(grid, WHOLE)
    # Eight chips of a row gather 1024 of 8192 elements, eight of a column share 3584.
    assert np.bincount(exchanged["gather"].teams).tolist() == [8] * 8
    assert np.bincount(exchanged["scatter_columns"].teams).tolist() == [8] * 8
    assert exchanged["gather"].shard_bytes.tolist() == [128 * 2 + 4] * 64
    # The norm sums of the eight shards of a row go along.
    sums_bytes = 8 * 4
    scattered = exchanged["scatter_columns"].shard_bytes.tolist()
    assert scattered == [2 * 448 * 2 + sums_bytes] * 64
    assert exchanged["gather_columns"].shard_bytes.tolist() == [448 * 2] * 64
    assert exchanged["scatter"].shard_bytes.tolist() == [128 * 2] * 64


def columns(each: Operand) -> list[tuple[int, int]]:
    return list(zip(each.first.tolist(), each.last.tolist(), strict=True))


def test_every_chip_chooses_experts_by_the_scores_of_all_shards(
    routed: Task, cut: Cut
) -> None:
    (choice,) = cut(choose_experts, GraphFunction.CHOOSE, routed, WHOLE)
    assert isinstance(choice, Compute)
    # Four scores of each of three tokens, of which the largest is found twice.
    work = VectorWork(3 * 4, 16, operations=4, passes=2, reductions=2)
    assert choice.works == (work,) * 4
    ((_, function, (scores, squares), (made,)),) = choice.operations()
    assert function is Function.CHOOSE
    assert columns(scores) == columns(made) == [(0, 4)] * 4
    assert columns(squares) == [(0, 1)] * 4
    assert scores.part_last.tolist() == squares.part_last.tolist() == [8] * 4


def test_an_activation_is_of_the_columns_of_every_expert_that_has_a_place(
    routed: Task, cut: Cut
) -> None:
    (activation,) = cut(activate, GraphFunction.ACTIVATE, routed, WHOLE)
    assert isinstance(activation, Compute)
    # Three of 12 columns, of three tokens and two experts for each; gate and up.
    assert activation.works == (VectorWork(3 * 6, 16, operations=6, operands=2),) * 4
    ((_, function, reads, (made,)),) = activation.operations()
    assert function is Function.ACTIVATE
    shares = [(0, 3), (3, 6), (6, 9), (9, 12)]
    assert [columns(each) for each in (*reads[:2], made)] == [shares] * 3
    assert reads[2].value.endswith(".choice")


def test_a_grid_sums_its_columns_before_the_activation_and_gathers_them_after(
    task: Task, cut: Cut
) -> None:
    grid = task._replace(layout=FeedForwardLayout.TWO_D)
    scatter, summed, activation, gather = cut(
        activate, GraphFunction.ACTIVATE, grid, WHOLE
    )
    assert isinstance(scatter, Exchange)
    assert isinstance(summed, Compute)
    assert isinstance(activation, Compute)
    assert isinstance(gather, Exchange)
    # Two chips of a grid column share six of 12 columns.
    assert scatter.teams.tolist() == gather.teams.tolist() == [0, 0, 1, 1]
    # Three tokens: three columns of gate and of up, and two norm sums of a grid row.
    assert scatter.shard_bytes.tolist() == [3 * (2 * 3 * 2 + 2 * 4)] * 4
    assert gather.shard_bytes.tolist() == [3 * 3 * 2] * 4
    assert summed.works == (VectorWork(3 * 6, 16, operations=3, operands=2),) * 4
    assert activation.works == (VectorWork(3 * 3, 16, operations=6, operands=2),) * 4
    (sums,) = scatter.attached()
    # The first and third chip are a row, with the first four of eight columns.
    assert sums.member.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert sums.part_first.tolist() == [0, 2, 4, 6, 0, 2, 4, 6]
    ((_, function, reads, made),) = summed.operations()
    assert function is Function.SUM_SCALE
    shares = [(0, 3), (3, 6), (6, 9), (9, 12)]
    assert [columns(each) for each in (*reads[:2], *made)] == [shares] * 4
