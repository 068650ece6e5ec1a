from sharding.operators.operands import Operand
from sharding.partition.block_operators import block_operators
from sharding.partition.stage_boundary import (
    carried_bytes,
    carried_operands,
    token_bytes,
)
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import load_model

GROQRACK = load_machine("groqrack")
ATTENTION = Block(BlockKind.ATTENTION, 0, 0, 1, 1)
LATER = Block(BlockKind.FEED_FORWARD, 0, 4, 8, 8)
HEAD = Block(BlockKind.HEAD, 80, 1, 2, 2)
TABLE = Block(BlockKind.EMBEDDING, -1, 1, 2, 2)


def named(name: str, batch: int = 1) -> Task:
    return Task(load_model(name), GROQRACK, 8, 4096, batch)


def values(operands: tuple[Operand, ...]) -> list[str]:
    return [each.value.rpartition(".")[2] for each in operands]


def test_a_later_part_starts_from_what_the_stage_before_carried() -> None:
    task = named("llama-2-70b")
    assert "norm" not in [each.name for each in block_operators(task, LATER)]
    # A shard is 1024 elements of 2 B; its sum of squares is 4 B.
    assert carried_bytes(task, ATTENTION).tolist() == [2048] * 8
    assert carried_bytes(task, LATER).tolist() == [2048 + 2048 + 4] * 8
    assert carried_bytes(task, HEAD).tolist() == [2048 + 4 + 8] * 8
    assert carried_bytes(task, TABLE).tolist() == [2048 + 4] * 8
    assert values(carried_operands(task, ATTENTION)) == ["{residual}"]
    assert values(carried_operands(task, LATER)) == ["output@4", "weighed", "squares"]
    assert values(carried_operands(task, HEAD)) == [
        "weighed",
        "squares",
        "candidates@1",
    ]
    assert values(carried_operands(task, TABLE)) == ["output@1", "tokens"]


def test_a_block_that_norms_its_sum_needs_the_residual_until_its_end() -> None:
    task = named("gemma-2-9b")
    assert values(carried_operands(task, LATER))[0] == "{residual}"
    # Two shards of 448 elements, and the weighed one with its sum of squares.
    assert carried_bytes(task, LATER).tolist() == [3 * 2 * 448 + 4] * 8


def test_the_scores_of_experts_go_along_with_a_cut_feed_forward() -> None:
    task = named("mixtral-8x7b")
    assert values(carried_operands(task, LATER))[-1] == "router_scores"
    # Eight experts in FP32.
    assert carried_bytes(task, LATER).tolist() == [2 * 2 * 512 + 4 + 8 * 4] * 8


def test_a_token_is_four_bytes() -> None:
    assert token_bytes(named("llama-2-7b", batch=3)) == 12
