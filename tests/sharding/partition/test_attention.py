from collections.abc import Callable

import numpy as np
import pytest

from chip.dataflow import Function
from chip.operator_work import ProductWork, Shape, VectorWork
from sharding.operators.operands import Operand
from sharding.operators.operators import Compute, Exchange, Pattern, ShardedOperator
from sharding.partition.attention import attend, gate_output, score, soften
from sharding.partition.block_operators import block_operators
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from specs.arrays import Ints
from specs.machine import load_machine
from specs.model import ModelSpec, load_model
from workloads.operators import Function as GraphFunction

Cut = Callable[..., list[ShardedOperator]]
GROQRACK = load_machine("groqrack")
ATTENTION = Block(BlockKind.ATTENTION, 0, 0, 1, 1)


def named(name: str, tensor: int = 8) -> Task:
    return Task(load_model(name), GROQRACK, tensor, 4096, 1)


def names(task: Task, block: Block) -> list[str]:
    return [operator.name for operator in block_operators(task, block)]


def computes(task: Task, block: Block) -> dict[str, Ints]:
    operators = block_operators(task, block)
    return {each.name: each.cycles for each in operators if isinstance(each, Compute)}


def exchanges(task: Task, block: Block) -> dict[str, Exchange]:
    operators = block_operators(task, block)
    return {each.name: each for each in operators if isinstance(each, Exchange)}


def test_whole_heads_need_no_exchange_between_norm_and_sum() -> None:
    assert list(exchanges(named("llama-2-70b", 8), ATTENTION)) == ["gather", "scatter"]


def test_a_kv_head_group_gathers_its_head_and_scatters_partial_values() -> None:
    task = named("llama-2-70b", tensor=16)
    exchanged = exchanges(task, ATTENTION)
    assert [(each.name, each.pattern) for each in exchanged.values()] == [
        ("gather", Pattern.GATHER),
        ("share_qkv", Pattern.GATHER),
        ("share_values", Pattern.SCATTER),
        ("scatter", Pattern.SCATTER),
    ]
    # Two chips share 8 query heads of 128: half of the rows in FP16, and of each head
    # the largest score and the sum of exponentials in FP32.
    values = exchanged["share_values"]
    assert values.shard_bytes.tolist() == [4 * 128 * 2 + 8 * 2 * 4] * 16
    assert values.teams.tolist() == np.repeat(np.arange(8), 2).tolist()


def test_chips_beyond_the_heads_share_them_in_kv_head_groups() -> None:
    task = named("llama-2-70b", tensor=20)
    exchanged = exchanges(task, ATTENTION)
    # Eight heads over twenty chips: groups of two and of three.
    assert np.bincount(exchanged["share_qkv"].teams).tolist() == [
        2,
        3,
        2,
        3,
        2,
        3,
        2,
        3,
    ]
    rows = exchanged["share_qkv"].shard_bytes.sum() // 2
    assert rows == 8192 + 2 * 1024


def test_members_outside_the_alternating_group_neither_gather_nor_share_nor_add() -> (
    None
):
    task = named("llama-2-70b", tensor=32)._replace(attention=16)
    exchanged = exchanges(task, ATTENTION._replace(layer=1))
    working = [False] * 16 + [True] * 16
    for name in ("gather", "scatter"):
        only = exchanged[name].only
        assert only is not None
        assert only.tolist() == working
    # Two chips share a head; whoever has none is a group of one.
    assert np.bincount(exchanged["share_qkv"].teams).tolist() == [2] * 8 + [1] * 16
    cycles = computes(task, ATTENTION._replace(layer=1))
    for name in ("scale", "qkv", "scores", "softmax", "output"):
        assert (cycles[name] > 0).tolist() == working
    assert (cycles["reduce"] > 0).all()


def test_qwen3_normalises_heads_once_their_sums_of_squares_have_met() -> None:
    order = ["qkv", "head_norm", "share_qkv", "rotary", "head_scale", "scores"]
    task = named("qwen3-8b", tensor=16)
    assert names(task, ATTENTION)[3:9] == order
    # Two chips share a head of 4 queries, a key and a value of 128 elements each: half
    # of them in FP16, and a sum of 4 B for each of two queries and the key.
    shared = exchanges(task, ATTENTION)["share_qkv"].shard_bytes
    assert shared.tolist() == [6 * 64 * 2 + 3 * 4] * 16


def test_an_encoder_multiplies_every_position_with_every_other() -> None:
    model = load_model("bert-base")
    one, two = (
        computes(Task(model, GROQRACK, 12, context, 1), ATTENTION)
        for context in (256, 512)
    )
    # Keys of a head are a tile of 64 x 256, or two tiles, in any case one round: 40
    # cycles to load and 12 beside. Each position is a row, which takes two cycles.
    fill = GROQRACK.chip.matmul_fill_cycles
    assert (one["scores"] == fill + 52 + 2 * 256).all()
    assert (two["scores"] == fill + 52 + 2 * 512).all()
    # Weights are installed once for all positions.
    assert (two["qkv"] < 2 * one["qkv"]).all()


def test_a_chip_without_rows_of_a_shared_head_sends_none_of_its_sums() -> None:
    # Six chips share two query heads and a key head of two elements each: the rows of
    # the queries are on chips 1, 2, 4 and 5, those of the keys on chips 2 and 5.
    sizes = {"attention_heads": 2, "kv_heads": 1, "head_dim": 2}
    model = load_model("qwen3-8b").model_copy(update=sizes)
    exchanged = exchanges(Task(model, GROQRACK, 6, 64, 1), ATTENTION)
    query, key = np.array([0, 1, 1, 0, 1, 1]), np.array([0, 0, 1, 0, 0, 1])
    # A slice is a row in FP16 for each of query, key and value, and the sum of squares
    # of its query head and of its key head in FP32.
    shared = 2 * (query + 2 * key) + 4 * (query + key)
    assert exchanged["share_qkv"].shard_bytes.tolist() == shared.tolist()
    # The row, and two softmax sums of both heads.
    values = query * (2 + 2 * 2 * 4)
    assert exchanged["share_values"].shard_bytes.tolist() == values.tolist()


def test_all_chips_of_an_encoder_receive_the_input_that_it_adds_to() -> None:
    encoder, decoder = (
        exchanges(named(name)._replace(attention=4), ATTENTION)
        for name in ("bert-base", "gpt2")
    )
    assert encoder["gather"].only is None
    assert decoder["gather"].only is not None
    # In both, only half of the chips have a part of the sum.
    for each in (encoder, decoder):
        contributors = each["scatter"].only
        assert contributors is not None
        assert contributors.sum() == 4


def edges(each: Operand) -> list[tuple[int, ...]]:
    columns = (each.first, each.last, each.part_first, each.part_last)
    return list(zip(*(column.tolist() for column in columns), strict=True))


# Two query heads of two chips, and halves of the context.
HALVES = [(0, 2, 0, 1), (0, 2, 1, 2), (2, 4, 0, 1), (2, 4, 1, 2)]


def test_queries_meet_the_keys_of_half_the_context_on_each_of_two_chips(
    task: Task, cut: Cut
) -> None:
    (product,) = cut(score, GraphFunction.SCORES, task, ATTENTION)
    assert isinstance(product, Compute)
    # A key head of two elements, 8 of 16 positions, three sequences, in FP16; the tile
    # of each waits for its newest position. Two queries share the head.
    work = ProductWork(
        shape=Shape((2,), (8,), 3),
        rows=2,
        stored_bytes=2 * 8 * 3 * 2,
        operand_bytes=2,
        input_bytes=3 * 4 * 2,
        output_bytes=3 * 2 * 8 * 2,
        ready_rounds=0,
    )
    assert product.works == (work,) * 4
    ((_, function, reads, (made,)),) = product.operations()
    assert function is Function.SCORES
    queries, keys, cache = map(edges, reads)
    assert [each[:2] for each in queries] == [(0, 4), (0, 4), (4, 8), (4, 8)]
    assert [each[:2] for each in keys] == [(0, 2), (0, 2), (2, 4), (2, 4)]
    assert cache == edges(made) == HALVES


@pytest.mark.parametrize(
    ("positions", "chunk", "ready"), [(1281, 1, 6), (1280, 1, 4), (1281, 321, 4)]
)
def test_tiles_of_keys_and_values_are_ready_but_for_the_newest_positions(
    task: Task, cut: Cut, positions: int, chunk: int, ready: int
) -> None:
    # Whole heads of two elements, three sequences. Of 1,280 older positions four tiles
    # of each are known, 12 together; of 1,279, or of 960 before a chunk, three, 9. Two
    # tiles are a round.
    whole = task._replace(tensor=2, context=positions, query_tokens=chunk)
    (scores,) = cut(score, GraphFunction.SCORES, whole, ATTENTION)
    (values,) = cut(attend, GraphFunction.VALUES, whole, ATTENTION)
    keys, rows = Shape((2,), (positions,), 3), Shape((positions,), (2,), 3)
    for product, shape in ((scores, keys), (values, rows)):
        assert isinstance(product, Compute)
        for work in product.works:
            assert isinstance(work, ProductWork)
            assert (work.shape, work.ready_rounds) == (shape, ready)
            # Each position of a chunk, of two query heads.
            assert work.rows == 2 * chunk


def test_a_softmax_is_over_the_scores_that_a_chip_has(task: Task, cut: Cut) -> None:
    (softmax,) = cut(soften, GraphFunction.SOFTMAX, task, ATTENTION)
    assert isinstance(softmax, Compute)
    # Two query heads, 8 positions, three sequences; the largest score and the sum.
    work = VectorWork(48, 16, operations=4, passes=3, reductions=2)
    assert softmax.works == (work,) * 4
    ((_, function, (scores,), (weights,)),) = softmax.operations()
    assert function is Function.SOFTMAX
    assert edges(scores) == edges(weights) == HALVES
    assert scores.value.endswith(".scores")
    assert weights.value.endswith(".weights")


def test_a_chip_with_whole_heads_makes_its_context_at_once(
    task: Task, cut: Cut
) -> None:
    (product,) = cut(attend, GraphFunction.VALUES, task._replace(tensor=2), ATTENTION)
    assert isinstance(product, Compute)
    (operation,) = product.operations()
    (context,) = operation.writes
    assert context.value.endswith(".context")
    assert edges(context) == [(0, 4, 0, 1), (4, 8, 0, 1)]


def test_chips_that_share_heads_scatter_and_combine_their_parts_of_the_values(
    task: Task, cut: Cut
) -> None:
    product, share, combine = cut(attend, GraphFunction.VALUES, task, ATTENTION)
    assert isinstance(product, Compute)
    assert isinstance(share, Exchange)
    assert isinstance(combine, Compute)
    (attended,) = product.operations()[0].writes
    assert attended.value.endswith(".attended")
    assert edges(attended) == [(0, 4, 0, 1), (0, 4, 1, 2), (4, 8, 0, 1), (4, 8, 1, 2)]
    # Of three tokens two rows in FP16, and two sums of two query heads in FP32.
    assert share.shard_bytes.tolist() == [3 * (2 * 2 + 2 * 2 * 4)] * 4
    (sent,) = share.carries()
    assert edges(sent) == [(0, 2, 0, 1), (2, 4, 1, 2), (4, 6, 0, 1), (6, 8, 1, 2)]
    # Two parts: a factor, a product and a sum of each.
    assert combine.works == (VectorWork(3 * 2, 16, operations=6, operands=2),) * 4
    ((_, function, (parts,), (context,)),) = combine.operations()
    assert function is Function.COMBINE
    assert edges(parts) == [(0, 2, 0, 2), (2, 4, 0, 2), (4, 6, 0, 2), (6, 8, 0, 2)]
    assert [each[:2] for each in edges(context)] == [(0, 2), (2, 4), (4, 6), (6, 8)]


def test_gates_are_of_what_a_chip_has_of_the_context(
    cut: Cut, linear_model: ModelSpec
) -> None:
    # Four chips share two KV heads: each has a half of a head's 2 x 16 columns.
    task = Task(linear_model, GROQRACK, 4, 16, 3)
    block = ATTENTION._replace(layer=1)
    (gate,) = cut(gate_output, GraphFunction.OUTPUT_GATE, task, block)
    assert isinstance(gate, Compute)
    (operation,) = gate.operations()
    assert operation.function is Function.OUTPUT_GATE
    assert [each.last.tolist() for each in operation.reads] == [[16, 32, 48, 64]] * 2
    (work, *_) = gate.works
    assert isinstance(work, VectorWork)
    assert (work.elements, work.operands) == (3 * 16, 2)
