from collections.abc import Callable

import pytest

from chip.dataflow import Function
from chip.operator_work import VectorWork
from sharding.operators.operands import Operand
from sharding.operators.operators import Compute, Exchange, Pattern, ShardedOperator
from sharding.partition.heads import norm_heads, place_heads, scale_heads
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from workloads.operators import Function as GraphFunction

Cut = Callable[..., list[ShardedOperator]]
AT = "layers.{layer}.attention"
ATTENTION = Block(BlockKind.ATTENTION, 0, 0, 1, 1)
# Two chips share a key head of two elements and its two query heads.
QUERY_SLICES = [(0, 2), (2, 4), (4, 6), (6, 8)]
KEY_SLICES = [(0, 1), (1, 2), (2, 3), (3, 4)]
WHOLE_QUERIES = [(0, 4), (0, 4), (4, 8), (4, 8)]
WHOLE_KEYS = [(0, 2), (0, 2), (2, 4), (2, 4)]


def changed(task: Task, **settings: object) -> Task:
    return task._replace(model=task.model.model_copy(update=settings))


def columns(each: Operand) -> list[tuple[int, int]]:
    return list(zip(each.first.tolist(), each.last.tolist(), strict=True))


def names(operands: tuple[Operand, ...]) -> list[str]:
    return [each.value.removeprefix(f"{AT}.") for each in operands]


def test_slices_of_heads_are_weighed_and_squared_where_they_are_projected(
    task: Task, cut: Cut
) -> None:
    normed = changed(task, family="qwen3")
    (norm,) = cut(norm_heads, GraphFunction.HEAD_NORM, normed, ATTENTION)
    assert isinstance(norm, Compute)
    # Two elements of queries and one of keys, of three tokens.
    work = VectorWork(3 * 3, 16, operations=3, operands=2, reductions=1)
    assert norm.works == (work,) * 4
    ((_, function, reads, made),) = norm.operations()
    assert function is Function.HEAD_NORM
    assert [columns(each) for each in reads[:2]] == [QUERY_SLICES, KEY_SLICES]
    # Weights of a head are the same for all heads.
    assert [columns(each) for each in reads[2:]] == [[(0, 2)] * 4] * 2
    assert [columns(each) for each in made] == [QUERY_SLICES, KEY_SLICES] * 2
    assert names(made)[2:] == ["query_squares", "key_squares"]


def test_slices_of_shared_heads_meet_before_they_are_rotated(
    task: Task, cut: Cut
) -> None:
    share, rotary = cut(place_heads, GraphFunction.POSITION, task, ATTENTION)
    assert isinstance(share, Exchange)
    assert isinstance(rotary, Compute)
    assert (share.pattern, share.teams.tolist()) == (Pattern.GATHER, [0, 0, 1, 1])
    # Two elements of queries, one of keys and one of values, of three tokens in FP16.
    assert share.shard_bytes.tolist() == [3 * 4 * 2] * 4
    assert [columns(each) for each in share.carries()] == [
        QUERY_SLICES,
        KEY_SLICES,
        KEY_SLICES,
    ]
    # Two query heads and a key head of two elements.
    work = VectorWork(3 * 3 * 2, 16, operations=6, operands=4, reorders=True)
    assert rotary.works == (work,) * 4
    ((_, function, reads, made),) = rotary.operations()
    assert function is Function.POSITION
    whole = [WHOLE_QUERIES, WHOLE_KEYS, WHOLE_KEYS]
    assert [columns(each) for each in reads] == whole
    assert [columns(each) for each in made] == whole
    assert names(made) == ["queries", "keys", "values"]


def test_biases_of_whole_heads_are_added_in_the_instruction_that_rotates(
    task: Task, cut: Cut
) -> None:
    # Two chips, each with a key head of its own.
    biased = changed(task, qkv_biases=True)._replace(tensor=2)
    (rotary,) = cut(place_heads, GraphFunction.POSITION, biased, ATTENTION)
    assert isinstance(rotary, Compute)
    # The values too are read, for their bias alone.
    work = VectorWork(3 * 4 * 2, 16, operations=7, operands=4, reorders=True)
    assert rotary.works == (work,) * 2
    biases, rotation = rotary.operations()
    assert (biases.function, rotation.function) == (Function.BIAS, Function.POSITION)
    assert names(biases.writes) == ["biased_query", "biased_key", "biased_value"]
    assert names(rotation.reads) == names(biases.writes)


def test_biases_are_added_to_slices_before_these_are_exchanged(
    task: Task, cut: Cut
) -> None:
    biased = changed(task, qkv_biases=True)
    bias, share, rotary = cut(place_heads, GraphFunction.POSITION, biased, ATTENTION)
    assert isinstance(bias, Compute)
    assert bias.works == (VectorWork(3 * 4, 16, operands=2),) * 4
    assert isinstance(share, Exchange)
    assert names(share.carries()) == ["biased_query", "biased_key", "biased_value"]
    assert isinstance(rotary, Compute)
    assert len(rotary.operations()) == 1


def test_sums_of_squares_of_a_slice_travel_with_it(task: Task, cut: Cut) -> None:
    normed = changed(task, family="qwen3")
    share, _ = cut(place_heads, GraphFunction.POSITION, normed, ATTENTION)
    assert isinstance(share, Exchange)
    # A sum in FP32 of the query head and of the key head that a slice is of.
    assert share.shard_bytes.tolist() == [3 * (4 * 2 + 2 * 4)] * 4
    assert names(share.carries())[3:] == ["query_squares", "key_squares"]


@pytest.mark.parametrize(("biased", "name"), [(True, "qkv_bias"), (False, "rotary")])
def test_heads_that_are_not_rotated_get_their_biases_or_pass_as_they_are(
    task: Task, cut: Cut, biased: bool, name: str
) -> None:
    plain = changed(task, family="gpt2", position_rows=16, qkv_biases=biased)
    (only,) = cut(
        place_heads, GraphFunction.POSITION, plain._replace(tensor=2), ATTENTION
    )
    assert only.name == name


def test_rotated_heads_are_scaled_whole_by_their_own_sums(task: Task, cut: Cut) -> None:
    normed = changed(task, family="qwen3")
    (scale,) = cut(scale_heads, GraphFunction.HEAD_SCALE, normed, ATTENTION)
    assert isinstance(scale, Compute)
    assert scale.works == (VectorWork(3 * 3 * 2, 16, operations=2),) * 4
    ((_, function, reads, made),) = scale.operations()
    assert function is Function.HEAD_SCALE
    assert [columns(each) for each in reads] == [WHOLE_QUERIES, WHOLE_KEYS] * 2
    assert names(reads)[:2] == ["rotated_query", "rotated_key"]
    assert [columns(each) for each in made] == [WHOLE_QUERIES, WHOLE_KEYS]
    assert names(made) == ["queries", "keys"]
