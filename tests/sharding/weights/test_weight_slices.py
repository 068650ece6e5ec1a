import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sharding.parallelism.tensor_group import FeedForwardLayout, TensorGroup, group_of
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.group_slices import is_of_later_block
from sharding.weights.task import Task
from sharding.weights.weight_slices import block_slices, counted_slices
from specs.model import ModelSpec, load_model

PAIR = group_of(2, 1, 0, FeedForwardLayout.ONE_D)
FEED_FORWARD = Block(BlockKind.FEED_FORWARD, 1, 0, 4, 4)


def held(
    model: ModelSpec, block: Block, group: TensorGroup = PAIR
) -> dict[str, list[tuple[int, ...]]]:
    """Return row start and end, column start and end of each chip, by tensor."""
    return {
        part.tensor: list(zip(*(edge.tolist() for edge in part[3:7]), strict=True))
        for part in block_slices(model, block, group)
    }


def test_a_feed_forward_is_split_by_its_intermediate_dimension(
    tiny: ModelSpec,
) -> None:
    layer = "model.layers.1."
    assert held(tiny, FEED_FORWARD) == {
        f"{layer}post_attention_layernorm.weight": [(0, 1, 0, 4), (0, 1, 4, 8)],
        f"{layer}mlp.gate_proj.weight": [(0, 6, 0, 8), (6, 12, 0, 8)],
        f"{layer}mlp.up_proj.weight": [(0, 6, 0, 8), (6, 12, 0, 8)],
        f"{layer}mlp.down_proj.weight": [(0, 8, 0, 6), (0, 8, 6, 12)],
    }


def test_only_the_first_part_of_a_feed_forward_has_the_norm(tiny: ModelSpec) -> None:
    last = held(tiny, FEED_FORWARD._replace(first=2))
    layer = "model.layers.1."
    assert last == {
        f"{layer}mlp.gate_proj.weight": [(6, 9, 0, 8), (9, 12, 0, 8)],
        f"{layer}mlp.up_proj.weight": [(6, 9, 0, 8), (9, 12, 0, 8)],
        f"{layer}mlp.down_proj.weight": [(0, 8, 6, 9), (0, 8, 9, 12)],
    }


def test_a_2d_layout_cuts_the_matrices_of_a_feed_forward_both_ways(
    tiny: ModelSpec,
) -> None:
    grid = group_of(4, 1, 0, FeedForwardLayout.TWO_D)
    slices = held(tiny, FEED_FORWARD, grid)
    up = [(0, 6, 0, 4), (0, 6, 4, 8), (6, 12, 0, 4), (6, 12, 4, 8)]
    assert slices["model.layers.1.mlp.up_proj.weight"] == up
    transposed = [(low, high, first, last) for first, last, low, high in up]
    assert slices["model.layers.1.mlp.down_proj.weight"] == transposed


def test_attention_is_split_by_heads(tiny: ModelSpec) -> None:
    layer = "model.layers.0.self_attn."
    slices = held(tiny, Block(BlockKind.ATTENTION, 0, 0, 1, 1))
    # Four query heads and two key/value heads of two rows.
    assert slices[f"{layer}q_proj.weight"] == [(0, 4, 0, 8), (4, 8, 0, 8)]
    assert slices[f"{layer}k_proj.weight"] == [(0, 2, 0, 8), (2, 4, 0, 8)]
    assert slices[f"{layer}o_proj.weight"] == [(0, 8, 0, 4), (0, 8, 4, 8)]


def test_a_tied_head_is_a_second_copy_of_the_embedding(tiny: ModelSpec) -> None:
    tied = tiny.model_copy(update={"tied_embeddings": True})
    head = Block(BlockKind.HEAD, 2, 0, 1, 1)
    assert held(tied, head) == {
        "model.norm.weight": [(0, 1, 0, 4), (0, 1, 4, 8)],
        "lm_head.weight (tied)": [(0, 3, 0, 8), (3, 6, 0, 8)],
    }


def test_an_expert_is_whole_within_its_group(tiny: ModelSpec) -> None:
    experts = tiny.model_copy(
        update={"family": "mixtral", "experts": 2, "experts_per_token": 1}
    )
    slices = held(experts, FEED_FORWARD, group_of(2, 2, 0, FeedForwardLayout.ONE_D))
    first, second = (
        slices[f"model.layers.1.block_sparse_moe.experts.{expert}.w1.weight"]
        for expert in (0, 1)
    )
    assert first == [(0, 12, 0, 8), (0, 0, 0, 8)]
    assert second == [(0, 0, 0, 8), (0, 12, 0, 8)]


@given(task=..., kind=st.sampled_from(BlockKind), cut=st.integers(1, 7))
def test_the_parts_of_a_block_hold_what_the_block_holds(
    task: Task, kind: BlockKind, cut: int
) -> None:
    layer = {BlockKind.EMBEDDING: -1, BlockKind.HEAD: task.model.layers}.get(kind, 0)
    whole = Block(kind, layer, 0, 8, 8)
    if kind is BlockKind.ATTENTION:
        parts = [whole]
    else:
        parts = [whole._replace(last=cut), whole._replace(first=cut)]

    def elements(block: Block) -> int:
        # A later part has copies of the block's LayerNorm.
        slices = block_slices(task.model, block, task.group)
        own = [part for part in slices if not is_of_later_block(part.tensor)]
        return sum(int(np.sum(part.elements)) for part in own)

    assert sum(map(elements, parts)) == elements(whole)


def test_experts_of_a_group_are_counted_instead_of_listed() -> None:
    model = load_model("mixtral-8x7b")
    block = Block(BlockKind.FEED_FORWARD, 0, 1, 5, 7)
    for expert in (1, 2, 8):
        split = group_of(8, expert, 0, FeedForwardLayout.ONE_D)
        listed = [each.elements for each in block_slices(model, block, split)]
        counted = [
            count * each.elements for each, count in counted_slices(model, block, split)
        ]
        assert np.array_equal(np.sum(listed, axis=0), np.sum(counted, axis=0))
