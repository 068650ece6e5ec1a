import pytest

from sharding.parallelism.tensor_group import FeedForwardLayout
from sharding.partition.block_partition import BlockPartition
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import load_model
from workloads.attributes import AttentionAttributes
from workloads.operators import Function

GROQRACK = load_machine("groqrack")
ATTENTION = Block(BlockKind.ATTENTION, 0, 0, 1, 1)
FEED_FORWARD = Block(BlockKind.FEED_FORWARD, 0, 0, 8, 8)
HEAD = Block(BlockKind.HEAD, 1, 0, 1, 1)


def part_of(name: str, block: Block, tensor: int = 8) -> BlockPartition:
    return BlockPartition(Task(load_model(name), GROQRACK, tensor, 4096, 1), block)


def test_sizes_are_those_of_the_graphs_tensors() -> None:
    part = part_of("llama-2-70b", ATTENTION)
    assert part.hidden == 8192
    assert part.shard.sizes.tolist() == [1024] * 8
    product = part.find(Function.PRODUCT)
    assert product is not None
    assert [part.columns(name) for name in product.outputs] == [8192, 1024, 1024]
    assert part.rows(product.inputs[1]) == 8192
    assert part.is_weights(product.inputs[1])
    assert not part.is_weights(product.inputs[0])


def test_a_layer_is_that_of_the_blocks_with_its_window() -> None:
    windows = [
        part_of("gemma-2-9b", ATTENTION._replace(layer=layer))
        .attributes(Function.SCORES, AttentionAttributes)
        .window
        for layer in range(4)
    ]
    assert windows == [4096, None, 4096, None]


def test_the_last_product_of_a_block_is_summed_over_the_chips() -> None:
    for block in (ATTENTION, FEED_FORWARD):
        part = part_of("llama-2-70b", block)
        products = [o for o in part.operators if o.function is Function.PRODUCT]
        assert [part.is_summed(each) for each in products] == [False, True]


@pytest.mark.parametrize(
    ("name", "sums", "scores"),
    [("llama-2-7b", 4, 0), ("gpt2", 8, 0), ("mixtral-8x7b", 4, 8 * 4)],
)
def test_a_layer_norm_sums_twice_and_a_router_sums_for_each_expert(
    name: str, sums: int, scores: int
) -> None:
    part = part_of(name, FEED_FORWARD, tensor=4)
    assert part.norm_sum_bytes == sums
    assert part.router_bytes == scores
    shard = part.task.shard_bytes() + sums + scores
    assert part.normed_shard_bytes(scores).tolist() == shard.tolist()


def test_a_grid_multiplies_a_part_of_the_input_in_the_feed_forward_alone() -> None:
    task = Task(load_model("llama-2-70b"), GROQRACK, 16, 64, 1)
    task = task._replace(layout=FeedForwardLayout.TWO_D)
    attention, dense = (BlockPartition(task, b) for b in (ATTENTION, FEED_FORWARD))
    assert not attention.in_grid
    assert dense.in_grid
    assert set(attention.inputs.sizes.tolist()) == {8192}
    assert set(dense.inputs.sizes.tolist()) == {1024}


def test_the_head_of_a_decoder_computes_what_is_answered_and_an_encoders_pools() -> (
    None
):
    task = Task(load_model("llama-2-70b"), GROQRACK, 8, 64, 1, query_tokens=16)
    head = BlockPartition(task, HEAD)
    assert head.task.tokens == 1
    assert not head.pools
    assert BlockPartition(task, ATTENTION).task.tokens == 16
    assert head.outputs.sizes.tolist() == [4000] * 8
    assert part_of("bert-base", HEAD).pools
