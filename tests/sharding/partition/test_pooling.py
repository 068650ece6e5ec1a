from collections.abc import Callable

import pytest

from chip.dataflow import Function
from chip.operator_work import VectorWork
from sharding.operators.operands import Operand
from sharding.operators.operators import Compute, Exchange, Pattern, ShardedOperator
from sharding.partition.pooling import activate_pooled, scale_states, weigh_states
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from workloads.operators import Function as GraphFunction

Cut = Callable[..., list[ShardedOperator]]
HEAD = Block(BlockKind.HEAD, 2, 0, 1, 1)
SHARDS = [(0, 2), (2, 4), (4, 6), (6, 8)]
POSITIONS = 3 * 16


@pytest.fixture
def encoder(task: Task) -> Task:
    """Return three sequences of 16 positions; hidden size 8 on four chips."""
    sizes = {"family": "bert", "position_rows": 16, "token_types": 2}
    return task._replace(model=task.model.model_copy(update=sizes))


def columns(each: Operand) -> list[tuple[int, int]]:
    return list(zip(each.first.tolist(), each.last.tolist(), strict=True))


def test_all_states_are_weighed_and_those_of_first_positions_named_apart(
    encoder: Task, cut: Cut
) -> None:
    (norm,) = cut(weigh_states, GraphFunction.NORM_WEIGH, encoder, HEAD)
    assert isinstance(norm, Compute)
    work = VectorWork(POSITIONS * 2, 16, operations=3, operands=2, reductions=1)
    assert list(norm.works) == [work] * 4
    ((_, function, _, made),) = norm.operations()
    assert function is Function.NORM_WEIGH
    names = ["head.weighed", "head.squares", "head.first_weighed"]
    assert [each.value for each in made] == names
    assert columns(made[0]) == columns(made[2]) == SHARDS


def test_only_first_positions_are_gathered_with_the_sums_of_all(
    encoder: Task, cut: Cut
) -> None:
    gather, *_ = cut(scale_states, GraphFunction.NORM_SCALE, encoder, HEAD)
    assert isinstance(gather, Exchange)
    # Two elements in FP16 of three positions; sum and sum of squares of all 48.
    assert gather.pattern is Pattern.GATHER
    assert gather.shard_bytes.tolist() == [3 * 2 * 2 + POSITIONS * 2 * 4] * 4
    carried = [(each.value, columns(each)) for each in gather.carries()]
    assert carried == [("head.first_weighed", SHARDS), ("head.squares", [(0, 2)] * 4)]


def test_states_are_scaled_in_shards_and_first_positions_whole(
    encoder: Task, cut: Cut
) -> None:
    _, states, first = cut(scale_states, GraphFunction.NORM_SCALE, encoder, HEAD)
    assert isinstance(states, Compute)
    assert isinstance(first, Compute)
    assert list(states.works) == [VectorWork(POSITIONS * 2, 16, operations=2)] * 4
    assert list(first.works) == [VectorWork(3 * 8, 16, operations=2)] * 4
    (kept,), (pooled,) = states.operations(), first.operations()
    assert [(each.value, columns(each)) for each in kept.writes] == [
        ("head.states", SHARDS)
    ]
    assert [(each.value, columns(each)) for each in pooled.writes] == [
        ("head.input", [(0, 8)] * 4)
    ]
    assert (kept.reads[0].value, pooled.reads[0].value) == (
        "head.weighed",
        "head.first_weighed",
    )


def test_pooled_rows_are_activated_where_they_are_made_and_sent_to_one_chip(
    encoder: Task, cut: Cut
) -> None:
    activated, pooled = cut(activate_pooled, GraphFunction.ACTIVATE, encoder, HEAD)
    assert isinstance(activated, Compute)
    assert isinstance(pooled, Exchange)
    # Two rows for the first position of each of three sequences.
    assert list(activated.works) == [VectorWork(3 * 2, 16, operations=7)] * 4
    ((_, function, reads, made),) = activated.operations()
    assert function is Function.ACTIVATE
    assert [each.value for each in reads] == ["head.projected", "head.bias"]
    assert [columns(each) for each in (*reads, *made)] == [SHARDS] * 3
    assert (pooled.pattern, pooled.shard_bytes.tolist()) == (
        Pattern.TO_LEADER,
        [3 * 2 * 2] * 4,
    )
    assert [each.value for each in pooled.carries()] == ["head.pooled"]
