import numpy as np
import pytest
from hypothesis import given

from compiler.bounds.block_bound import BlockBoundCache
from compiler.bounds.strategy_bound import (
    SplitBound,
    least_split_trains,
    model_blocks,
    split_bound,
    transfer_bytes,
)
from compiler.cost.link_timing import hop_cycles
from sharding.planner.plan import ShardingPlan
from sharding.weights.blocks import BlockKind
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import load_model
from topologies.selection import select_topology

MACHINE = load_machine()
MODEL = load_model("gpt2")
TASK = Task(MODEL, MACHINE, 2, 128, 1)


def bound_of(task: Task, most_stages: int = 5) -> SplitBound:
    return split_bound(task, most_stages, BlockBoundCache())


def test_each_stage_adds_a_stage_transfer_to_a_token() -> None:
    bound = bound_of(TASK)
    tokens = [bound.token_cycles(stages) for stages in range(1, 6)]
    # Half of 768 activations of two bytes fill three vectors.
    assert np.diff(tokens).tolist() == [hop_cycles(MACHINE, 3)] * 4


def test_a_chip_on_its_own_keeps_its_token_and_an_encoder_has_none() -> None:
    alone = bound_of(TASK._replace(tensor=1)).return_cycles.tolist()
    hop = hop_cycles(MACHINE, 1)
    assert alone == [0, hop, hop, hop, hop]
    assert bound_of(TASK).return_cycles.tolist() == [hop] * 5
    encoder = Task(load_model("bert-base"), MACHINE, 2, 128, 1)
    assert bound_of(encoder).return_cycles.tolist() == [0] * 5


def test_memory_holds_what_is_left_beside_weights_and_programs() -> None:
    bound = bound_of(TASK)
    chip = MACHINE.chip
    room = 2 * 3 * (chip.sram_bytes - chip.program_reserve_bytes)
    left = room - bound.weight_bytes
    assert bound.most_sequences(3) == left // bound.kv_cache_bytes
    large = bound_of(TASK._replace(model=load_model("llama-2-70b")))
    assert large.most_sequences(1) == 0


def test_a_model_has_an_embedding_a_head_and_two_blocks_for_each_layer() -> None:
    counts = {block.kind: count for block, count in model_blocks(TASK)}
    assert counts == {
        BlockKind.EMBEDDING: 1,
        BlockKind.ATTENTION: 12,
        BlockKind.FEED_FORWARD: 12,
        BlockKind.HEAD: 1,
    }


def test_alternating_groups_have_attention_blocks_of_their_own() -> None:
    task = Task(MODEL, MACHINE, 4, 128, 1, attention=2)
    attention = [
        (block.layer, count)
        for block, count in model_blocks(task)
        if block.kind is BlockKind.ATTENTION
    ]
    assert attention == [(0, 6), (1, 6)]


def test_a_stage_transfer_carries_no_more_than_the_answers_need() -> None:
    whole = transfer_bytes(TASK._replace(query_tokens=4))
    assert whole.tolist() == transfer_bytes(TASK).tolist() == [768, 768]
    answers = transfer_bytes(TASK._replace(query_tokens=4, answer_tokens=4))
    assert answers.tolist() == [4 * 768] * 2


@given(plan=...)
def test_more_stages_never_make_a_token_faster_nor_hold_fewer_sequences(
    plan: ShardingPlan,
) -> None:
    bound = bound_of(plan.task)
    stages = range(1 if plan.task.tensor > 1 else 2, 6)
    tokens = [bound.token_cycles(count) for count in stages]
    assert tokens == sorted(tokens)
    sequences = [bound.most_sequences(count) for count in range(1, 6)]
    assert sequences == sorted(sequences)


@pytest.mark.parametrize(("tensor", "least"), [(1, 0), (2, 98)])
def test_trains_are_those_of_the_group_that_needs_fewest(
    tensor: int, least: int
) -> None:
    topology = select_topology(8)
    bound = bound_of(TASK._replace(tensor=tensor), 4)
    trains = least_split_trains(bound, topology, np.arange(8))
    # Twelve layers of two blocks with an all-gather and a reduce-scatter of two
    # messages each, and a head with an all-gather.
    assert trains.tolist() == [least] * 4
