from specs.graph import Role
from specs.model import load_model
from workloads.attributes import NormAttributes, PositionAttributes
from workloads.feed_forward_attributes import ActivateAttributes
from workloads.model_graph import graph_of
from workloads.operators import Function

GPT2 = load_model("gpt2")


def test_gpt2_has_its_published_weights_with_a_head_tied_to_its_embedding() -> None:
    graph = graph_of(GPT2, context=5, batch=2)
    assert graph.parameters == 124_439_808
    assert graph.tensor("head.weight").copy_of == "embedding.weight"
    assert graph.layers == 12


def test_positions_are_rows_of_a_table_and_heads_are_not_rotated() -> None:
    graph = graph_of(GPT2, context=5, batch=2)
    embedding, attention, *_ = graph.blocks
    assert [each.name for each in embedding.operators] == [
        "embedding.lookup",
        "embedding.tables",
    ]
    assert graph.tensor("embedding.positions.weight").rows == 1024
    (position,) = (
        each.attributes_as(PositionAttributes)
        for each in attention.operators
        if each.function is Function.POSITION
    )
    assert (position.rotary, position.biased) == (None, (True, True, True))


def test_every_norm_is_a_layer_norm_and_every_product_but_the_heads_has_a_bias() -> (
    None
):
    graph = graph_of(GPT2, context=5, batch=2)
    norms = [
        each.attributes_as(NormAttributes)
        for each in graph.operators()
        if each.function is Function.NORM_WEIGH
    ]
    # Two of each layer, and one before the head.
    assert len(norms) == 2 * 12 + 1
    assert {norm.centred for norm in norms} == {True}
    weights = [each.name for each in graph.of_role(Role.WEIGHTS)]
    biases = [name for name in weights if name.startswith("layers.0.")]
    assert sorted(name for name in biases if name.endswith(".bias")) == [
        "layers.0.attention.key.bias",
        "layers.0.attention.norm.bias",
        "layers.0.attention.output.bias",
        "layers.0.attention.query.bias",
        "layers.0.attention.value.bias",
        "layers.0.feed_forward.down.bias",
        "layers.0.feed_forward.norm.bias",
        "layers.0.feed_forward.up.bias",
    ]
    assert "head.bias" not in weights


def test_the_feed_forward_is_a_plain_gelu() -> None:
    feed_forward = graph_of(GPT2, context=5, batch=2).blocks[2]
    (activated,) = (
        each.attributes_as(ActivateAttributes)
        for each in feed_forward.operators
        if each.function is Function.ACTIVATE
    )
    assert (activated.activation, activated.gated) == ("gelu_new", False)
