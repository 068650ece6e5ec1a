from collections.abc import Callable

from specs.block_order import BlockOrder
from specs.model import ModelSpec
from workloads.feed_forward_recognition import feed_forward_sizes
from workloads.model_graph import graph_of
from workloads.operators import Function

Tiny = Callable[..., ModelSpec]


def sizes(model: ModelSpec) -> dict[str, object]:
    """Return what the feed-forwards of a model's graph say of it."""
    blocks = graph_of(model, context=2, batch=1).blocks
    kinds = [{each.function for each in block.operators} for block in blocks]
    wanted = {Function.ACTIVATE, Function.ADD}
    return feed_forward_sizes(
        [block for block, kind in zip(blocks, kinds, strict=True) if kind >= wanted]
    )


def test_a_dense_feed_forward_has_one_expert(tiny: Tiny) -> None:
    assert sizes(tiny("gpt2")) == {
        "intermediate_size": 48,
        "experts": 1,
        "experts_per_token": 1,
        "feed_forward_biases": True,
        "block_order": BlockOrder.SEQUENTIAL,
    }


def test_experts_beside_dense_layers_have_a_size_of_their_own(tiny: Tiny) -> None:
    model = tiny(
        "qwen2_moe",
        num_experts=4,
        num_experts_per_tok=3,
        moe_intermediate_size=7,
        shared_expert_intermediate_size=9,
        mlp_only_layers=[0],
    )
    found = sizes(model)
    assert found["router"] == model.router
    del found["router"]
    assert found == {
        "intermediate_size": 20,
        "experts": 4,
        "experts_per_token": 3,
        "feed_forward_biases": False,
        "block_order": BlockOrder.SEQUENTIAL,
        "expert_intermediate_size": 7,
        "shared_intermediate_size": 9,
        "shared_expert_gate": True,
        "expert_layers": (1,),
    }
