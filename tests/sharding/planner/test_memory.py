import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharding.planner.memory import (
    StageMemory,
    activation_bytes,
    kv_cache_bytes,
    least_weight_bytes,
    stage_memory,
    weight_bytes,
)
from sharding.weights.blocks import Block, BlockKind, merged, model_units
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import ModelSpec, load_model

MACHINE = load_machine()
ATTENTION = Block(BlockKind.ATTENTION, 0, 0, 1, 1)
FEED_FORWARD = Block(BlockKind.FEED_FORWARD, 0, 0, 4, 4)
HEAD = Block(BlockKind.HEAD, 2, 0, 1, 1)
EMBEDDING = Block(BlockKind.EMBEDDING, -1, 0, 1, 1)
# The all-gathered input, the partial output and the residual: 8 elements in FP16 each.
HIDDEN = 3 * 8 * 2


def test_all_bytes_of_a_chip_are_added() -> None:
    one = np.array([1, 2])
    memory = StageMemory(one, 10 * one, 100 * one, 1000 * one)
    assert memory.total.tolist() == [1111, 2222]


def test_weights_take_whole_bytes_of_each_tensor(tiny: ModelSpec) -> None:
    # Halves of a norm of 8 and of three matrices of 8 x 12.
    task = Task(tiny, MACHINE, 2, 16, 1)
    assert weight_bytes(task, FEED_FORWARD).tolist() == [4 + 3 * 48] * 2
    # On three chips 2, 3 and 3 weights of the norm, in half a byte each.
    narrow = MACHINE.with_settings({"formats.weights": "int4"})
    thirds = Task(tiny, narrow, 3, 16, 1)
    matrices = 3 * 8 * 4 // 2
    held = [1 + matrices, 2 + matrices, 2 + matrices]
    assert weight_bytes(thirds, FEED_FORWARD).tolist() == held


@given(task=..., kind=st.sampled_from(BlockKind), cut=st.integers(1, 7))
def test_no_cut_of_a_block_takes_less_than_the_least_of_its_weights(
    task: Task, kind: BlockKind, cut: int
) -> None:
    layer = {BlockKind.EMBEDDING: -1, BlockKind.HEAD: task.model.layers}.get(kind, 0)
    whole = Block(kind, layer, 0, 8, 8)
    parts = [whole]
    if kind is not BlockKind.ATTENTION:
        parts = [whole._replace(last=cut), whole._replace(first=cut)]
    least = least_weight_bytes(task, whole)
    assert sum(int(weight_bytes(task, part).sum()) for part in parts) >= least
    if task.model.formats is None:
        assert least == int(weight_bytes(task, whole).sum())


@pytest.mark.parametrize(
    ("tensor", "held"),
    # Keys and values of 16 positions: 2 heads, 1 head, or half of the positions of 1.
    [(1, [2 * 2 * 2 * 16]), (2, [2 * 2 * 16] * 2), (4, [2 * 2 * 8] * 4)],
)
def test_chips_of_a_kv_head_group_share_the_positions_of_its_cache(
    tiny: ModelSpec, tensor: int, held: list[int]
) -> None:
    task = Task(tiny, MACHINE, tensor, 16, 1)
    in_fp16 = [2 * elements for elements in held]
    assert kv_cache_bytes(task, ATTENTION, 1).tolist() == in_fp16
    batched = task._replace(batch=2)
    six_times = [6 * size for size in in_fp16]
    assert kv_cache_bytes(batched, ATTENTION, sequences=3).tolist() == six_times


def test_a_window_bounds_the_cache_of_its_layer(tiny: ModelSpec) -> None:
    windowed = tiny.with_settings({"window_tokens": 4, "windowed_layers": (0,)})
    task = Task(windowed, MACHINE, 1, 16, 1)
    near, far = (
        int(kv_cache_bytes(task, ATTENTION._replace(layer=layer), 1)[0])
        for layer in (0, 1)
    )
    assert (near, far) == (2 * 2 * 2 * 4 * 2, 2 * 2 * 2 * 16 * 2)


def test_only_the_attention_of_a_decoder_has_a_cache(tiny: ModelSpec) -> None:
    assert kv_cache_bytes(Task(tiny, MACHINE, 1, 16, 1), FEED_FORWARD, 1).tolist() == [
        0
    ]
    encoder = Task(load_model("bert-base"), MACHINE, 1, 16, 1)
    assert kv_cache_bytes(encoder, ATTENTION, 1).tolist() == [0]


@pytest.mark.parametrize(
    ("block", "alive"),
    [
        # Scores of 4 query heads at 16 positions in FP32.
        (ATTENTION, 4 * 16 * 4),
        # Gate and up outputs in FP16; half of them in half of the block.
        (FEED_FORWARD, 2 * 12 * 2),
        (FEED_FORWARD._replace(last=2), 2 * 6 * 2),
        # Six logits in FP32.
        (HEAD, 6 * 4),
        (EMBEDDING, 0),
    ],
)
def test_each_kind_of_block_has_its_activations_beside_the_hidden_vectors(
    tiny: ModelSpec, block: Block, alive: int
) -> None:
    task = Task(tiny, MACHINE, 1, 16, 1)
    assert activation_bytes(task, (block,)).tolist() == [HIDDEN + alive]


def test_queries_that_are_computed_together_are_alive_with_their_scores(
    tiny: ModelSpec,
) -> None:
    chunk = Task(tiny, MACHINE, 1, 2, 1, query_tokens=2)
    # Two tokens: 1 + 2 scores of 4 heads in FP32, and 4 queries of 2 elements in FP16.
    expected = 2 * HIDDEN + 4 * 3 * 4 + 2 * 4 * 2 * 2
    assert activation_bytes(chunk, (ATTENTION,)).tolist() == [expected]


@given(task=...)
def test_a_stage_needs_the_sum_of_its_weights_and_the_largest_activations(
    task: Task,
) -> None:
    blocks = merged(
        model_units(task.model, task.machine, tensor=task.tensor, pipeline=1)
    )
    memory = stage_memory(task, blocks, 2)
    ones = [stage_memory(task, (block,), 2) for block in blocks]
    weights, cache = (
        np.sum([getattr(one, name) for one in ones], axis=0)
        for name in ("weights", "kv_cache")
    )
    assert memory.weights.tolist() == weights.tolist()
    assert memory.kv_cache.tolist() == cache.tolist()
    largest = np.max([one.activations for one in ones], axis=0)
    assert memory.activations.tolist() == largest.tolist()
    assert set(memory.program.tolist()) == {MACHINE.chip.program_reserve_bytes}


def test_a_state_takes_the_same_bytes_at_any_context(linear_model: ModelSpec) -> None:
    # Two of four key heads: 4 value heads of 6 x 5 in FP32, and 2 tokens of 2 x 12
    # queries and keys and 20 values in FP16; for 3 sequences of a batch of 2.
    task = Task(linear_model, MACHINE, 2, 16, 2)
    own = 4 * 6 * 5 * 4 + 2 * (2 * 12 + 20) * 2
    assert kv_cache_bytes(task, ATTENTION, 3).tolist() == [6 * own] * 2
    longer = task._replace(context=64)
    assert kv_cache_bytes(longer, ATTENTION, 3).tolist() == [6 * own] * 2
    layer = linear_model.linear
    assert layer is not None
    assert linear_model.state_bytes(MACHINE.formats.activations) == 2 * own
    # The other layer has keys and values of its positions.
    full = ATTENTION._replace(layer=1)
    assert kv_cache_bytes(longer, full, 1).sum() > kv_cache_bytes(task, full, 1).sum()
