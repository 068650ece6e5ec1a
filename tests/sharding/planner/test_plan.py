import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharding.parallelism.strategy import Strategy
from sharding.planner.coverage import check_coverage
from sharding.planner.plan import ShardingPlan, plan_sharding
from sharding.weights.blocks import BlockKind
from sharding.weights.task import Task
from specs.errors import PlanError
from specs.machine import load_machine
from specs.model import ModelSpec, load_model, model_names

GROQRACK = load_machine("groqrack")
UNQUANTISED = [name for name in model_names() if load_model(name).formats is None]
widths = st.integers(1, 12) | st.sampled_from([16, 24])
stage_counts = st.integers(1, 12)


def plan(
    model: ModelSpec | str,
    tensor: int,
    pipeline: int,
    *,
    context: int = 4096,
    sequences: int = 1,
    **chip_settings: int,
) -> ShardingPlan:
    machine = GROQRACK.with_settings(
        {f"chip.{key}": value for key, value in chip_settings.items()}
    )
    shape = load_model(model) if isinstance(model, str) else model
    strategy = Strategy(tensor=tensor, pipeline=pipeline)
    task = Task(shape, machine, tensor, context, 1)
    chips = np.arange(strategy.chips, dtype=np.int64)
    return plan_sharding(task, strategy, chips, sequences=sequences)


def stored_parameters(planned: ShardingPlan) -> int:
    """Return the weights on all chips.

    A tied head is a copy of the embedding; each chip with heads has their norms. Each
    chip of each part of a block has the LayerNorm of its input, and the vectors of its
    router.
    """
    model, tensor = planned.task.model, planned.task.tensor
    have_heads = planned.task.group.attention
    copy = model.vocabulary_size * model.hidden_size if model.tied_embeddings else 0
    # Each chip has weights of its own rows in a norm of all heads.
    copied = model.structure.head_norms and not model.structure.whole_head_norms
    norms = 2 * model.attending_layers * model.head_dim if copied else 0
    if model.linear is not None:
        # And the norm of what value heads recall.
        norms += (model.layers - model.attending_layers) * model.linear.value_dim
    copies = (have_heads - 1) * norms
    if model.structure.layer_norms:
        kinds = (BlockKind.ATTENTION, BlockKind.FEED_FORWARD, BlockKind.HEAD)
        parts = [b for s in planned.stages for b in s.blocks if b.kind in kinds]
        held = sum(tensor - block.opens for block in parts)
        copies += held * model.norm_parameters
    if model.structure.normed_embedding:
        # Each chip normalises whole rows of the embedding.
        copies += (tensor - 1) * model.norm_parameters
    if model.block_order.shares_norm:
        # The norm of attention, once more where the block beside it begins.
        copies += model.layers * model.norm_parameters
    routed = [
        block
        for stage in planned.stages
        for block in stage.blocks
        if block.kind is BlockKind.FEED_FORWARD and model.has_experts(block.layer)
    ]
    vectors = model.router.vectors * model.experts
    copies += sum(tensor - block.opens for block in routed) * vectors
    return model.parameters + copy + copies


@given(model=..., tensor=widths, pipeline=stage_counts)
def test_every_weight_is_on_exactly_one_chip(
    model: ModelSpec, tensor: int, pipeline: int
) -> None:
    small = plan(model, tensor, pipeline, context=64)
    slices = small.slices
    assert check_coverage(slices) == stored_parameters(small)
    copies = slices["tensor"].str.endswith((" (tied)", " (copies)", " (shared)"))
    assert check_coverage(slices[~copies]) == model.parameters
    assert slices["bytes"].sum() == small.weight_bytes


@given(model=..., tensor=widths, data=st.data())
def test_every_weight_is_on_exactly_one_chip_when_memory_is_scarce(
    model: ModelSpec, tensor: int, data: st.DataObject
) -> None:
    sram_bytes = data.draw(st.integers(2_000, 20_000))
    pipeline = data.draw(stage_counts)
    try:
        small = plan(
            model,
            tensor,
            pipeline,
            context=8,
            sram_bytes=sram_bytes,
            program_reserve_bytes=0,
        )
    except PlanError as error:
        assert "What would do" in str(error) or "No machine" in str(error)  # noqa: PT017
    else:
        assert small.fullest_chip_bytes <= sram_bytes
        assert check_coverage(small.slices) == stored_parameters(small)


@settings(max_examples=20)
@given(model=..., tensor=widths, pipeline=stage_counts)
def test_stages_follow_one_another_without_a_gap(
    model: ModelSpec, tensor: int, pipeline: int
) -> None:
    small = plan(model, tensor, pipeline, context=64)
    blocks = [block for stage in small.stages for block in stage.blocks]
    order = [(block.layer, block.kind is BlockKind.FEED_FORWARD) for block in blocks]
    assert order == sorted(order)
    for before, after in pairwise(blocks):
        if (before.kind, before.layer) == (after.kind, after.layer):
            assert before.last == after.first
        else:
            assert before.closes
            assert after.opens
    assert blocks[0].kind is BlockKind.EMBEDDING
    assert blocks[-1].kind is BlockKind.HEAD
    assert blocks[-1].closes


@given(task=..., pipeline=stage_counts)
def test_every_weight_is_on_exactly_one_chip_however_a_group_shares_it(
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
    small = plan_sharding(task, strategy, np.arange(strategy.chips))
    assert check_coverage(small.slices) == stored_parameters(small)
    assert small.slices["bytes"].sum() == small.weight_bytes
    for stage in small.stages:
        held = small.slices[small.slices["stage"] == stage.index]
        by_chip = held.groupby("chip")["bytes"].sum()
        assert by_chip.to_dict() == {
            chip: size
            for chip, size in zip(
                stage.chips.tolist(), stage.memory.weights.tolist(), strict=True
            )
            if size
        }


@given(model=..., tensor=widths, pipeline=stage_counts, data=st.integers(2, 4))
def test_every_replica_holds_every_weight_on_chips_of_its_own(
    model: ModelSpec, tensor: int, pipeline: int, data: int
) -> None:
    one = plan(model, tensor, pipeline, context=64)
    strategy = replace(one.strategy, data=data)
    chips = np.arange(3, 3 + strategy.chips, dtype=np.int64)
    several = plan_sharding(one.task, strategy, chips)
    assert check_coverage(several.slices) == data * check_coverage(one.slices)
    assert several.weight_bytes == data * one.weight_bytes
    assert several.fullest_chip_bytes == one.fullest_chip_bytes
    used = np.concatenate([stage.chips for stage in several.stages])
    assert used.tolist() == chips.tolist()
    for replica in several.replicas:
        assert replica.strategy == one.strategy
        assert [stage.blocks for stage in replica.stages] == [
            stage.blocks for stage in one.stages
        ]


def test_layers_alternate_between_groups_with_their_attention_and_its_cache() -> None:
    alternating = plan_sharding(
        Task(load_model("llama-2-70b"), GROQRACK, 72, 4096, 1, attention=8),
        Strategy(tensor=72, pipeline=5, attention=8),
        np.arange(360),
    )
    queries = alternating.slices[alternating.slices["tensor"].str.contains("q_proj")]
    by_layer = queries.groupby("layer")["chip"].agg(list)
    first = by_layer.map(min) % 72
    assert by_layer.map(len).eq(8).all()
    assert first.tolist() == [layer % 9 * 8 for layer in range(80)]
    # 80 layers x key and value x 8 heads x 128 elements x 2 B, wherever they are.
    held = sum(int(stage.memory.kv_cache.sum()) for stage in alternating.stages)
    assert held == 4096 * 327_680
    assert alternating.fullest_chip_bytes < GROQRACK.chip.sram_bytes


def test_chips_are_used_stage_after_stage() -> None:
    strategy = Strategy(tensor=4, pipeline=3)
    task = Task(load_model("llama-2-7b"), GROQRACK, 4, 128, 1)
    chips = np.array([3, 1, 2, 0, *range(20, 40)], dtype=np.int64)
    with pytest.raises(PlanError, match=r"does not fit as tensor=4,pipeline=3"):
        plan_sharding(task, strategy, chips)
    roomy = GROQRACK.with_settings({"chip.sram_bytes": 10**10})
    stages = plan_sharding(task._replace(machine=roomy), strategy, chips).stages
    assert [stage.chips.tolist() for stage in stages] == [
        [3, 1, 2, 0],
        [20, 21, 22, 23],
        [24, 25, 26, 27],
    ]
    assert [stage.index for stage in stages] == [0, 1, 2]


def test_a_stage_names_its_layers() -> None:
    stages = plan("llama-2-70b", 8, 72).stages
    assert stages[0].layers == "0"
    assert stages[-1].layers == "79"
    assert plan("llama-2-7b", 4, 300).stages[0].layers == "embedding"


@pytest.mark.parametrize("name", UNQUANTISED)
def test_weights_take_a_byte_each(name: str) -> None:
    model = load_model(name)
    pipeline = 4 + 2 * model.parameters // (8 * GROQRACK.chip.sram_bytes)
    fitted = plan(name, 8, pipeline, context=128)
    assert fitted.weight_bytes == stored_parameters(fitted)


def test_the_deployment_to_reproduce_fits_and_is_covered() -> None:
    deployed = plan("llama-2-70b", 8, 72)
    assert deployed.fullest_chip_bytes < GROQRACK.chip.sram_bytes
    assert deployed.weight_bytes == 68_976_648_192
    assert check_coverage(deployed.slices) == 68_976_648_192


@pytest.mark.parametrize("tensor", [1, 2, 4, 7, 8])
def test_a_token_of_llama_2_70b_takes_327680_bytes_of_kv_cache(tensor: int) -> None:
    # 80 layers x key and value x 8 heads x 128 elements x 2 B.
    wide = plan("llama-2-70b", tensor, 72, context=4096, sram_bytes=10**12)
    held = sum(int(stage.memory.kv_cache.sum()) for stage in wide.stages)
    assert held == 4096 * 327_680


@pytest.mark.parametrize("tensor", [9, 16, 24])
def test_a_kv_head_group_shares_the_context_of_its_head(tensor: int) -> None:
    wide = plan("llama-2-70b", tensor, 36, context=4096, sram_bytes=10**12)
    held = sum(int(stage.memory.kv_cache.sum()) for stage in wide.stages)
    # Positions are whole: each chip of a group may keep one more than its share.
    most = 80 * 2 * 128 * 2 * tensor
    assert 0 <= held - 4096 * 327_680 < most


@given(model=..., tensor=st.integers(1, 4), context=st.integers(1, 500))
def test_kv_cache_grows_by_the_same_for_each_position_in_the_window(
    model: ModelSpec, tensor: int, context: int
) -> None:
    tensor = min(tensor, model.kv_heads)
    held = [
        sum(int(stage.memory.kv_cache.sum()) for stage in small.stages)
        for small in (plan(model, tensor, 2, context=n) for n in (context, context + 7))
    ]
    per_position = 0 if model.structure.encoder else 2 * model.kv_size * 2
    kept = [
        sum(
            min(n, model.window_tokens or n) if layer in model.windowed_layers else n
            for layer in range(model.layers)
        )
        for n in (context, context + 7)
    ]
    assert held == [positions * per_position for positions in kept]


def test_a_model_sees_no_further_than_its_learned_positions() -> None:
    plan("gpt2", 2, 1, context=1024)
    with pytest.raises(PlanError, match=r"only 1024: context 1025 .*--context 1024 or"):
        plan("gpt2", 2, 1, context=1025)
    with pytest.raises(PlanError, match=r"roberta-base has .* only 512: context 513"):
        plan("roberta-base", 2, 1, context=513)


def test_layers_of_one_model_may_keep_caches_of_different_size() -> None:
    deep = plan("gemma-2-9b", 8, 10, context=8192)
    held = sum(int(stage.memory.kv_cache.sum()) for stage in deep.stages)
    # 21 layers see 4096 positions, 21 all; keys and values of 8 heads of 256, FP16.
    assert held == 21 * (4096 + 8192) * 2 * 8 * 256 * 2


def test_each_sequence_keeps_a_kv_cache_of_its_own() -> None:
    one, three = (
        plan("llama-2-70b", 8, 72, context=512, sequences=n).stages[5].memory
        for n in (1, 3)
    )
    assert (3 * one.kv_cache == three.kv_cache).all()


def test_a_group_wider_than_the_hidden_size_is_refused() -> None:
    with pytest.raises(PlanError, match=r"tensor=5000 is wider .* 4096 of llama-2-7b"):
        plan("llama-2-7b", 5000, 1)


def test_too_few_chips_are_refused() -> None:
    task = Task(load_model("llama-2-7b"), GROQRACK, 8, 128, 1)
    with pytest.raises(PlanError, match=r"takes 72 chips but 71 are there"):
        plan_sharding(task, Strategy(tensor=8, pipeline=9), np.arange(71))


def test_more_stages_than_pieces_are_answered_with_how_many_there_are() -> None:
    with pytest.raises(PlanError, match=r"llama-2-7b has pieces: 32 layers") as caught:
        plan("llama-2-7b", 8, 10**6)
    offer = re.search(r"use pipeline=(\d+) or fewer", str(caught.value))
    assert offer
    assert int(offer[1]) == 1 + 32 * (1 + 11_008) + 1
