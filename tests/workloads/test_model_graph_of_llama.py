from specs.graph import Role
from specs.model import load_model, model_from_config
from workloads.attributes import AttentionAttributes, PositionAttributes
from workloads.feed_forward_attributes import ActivateAttributes
from workloads.model_graph import graph_of
from workloads.operator_graph import Block
from workloads.operators import Function, GraphOperator


def names(block: Block) -> list[str]:
    return [each.name.rpartition(".")[2] for each in block.operators]


def find(block: Block, function: Function) -> GraphOperator:
    return next(each for each in block.operators if each.function is function)


def test_llama_2_7b_has_its_published_weights_in_blocks_of_32_layers() -> None:
    graph = graph_of(load_model("llama-2-7b"), context=5, batch=2)
    assert graph.parameters == 6_738_415_616
    assert [(each.name, len(each.layers)) for each in graph.blocks] == [
        ("embedding", 0),
        ("attention", 32),
        ("feed_forward", 32),
        ("head", 0),
    ]
    assert graph.of_role(Role.OUTPUT)[0].name == "head.token"


def test_queries_and_keys_are_rotated_and_the_feed_forward_is_gated() -> None:
    graph = graph_of(load_model("llama-2-7b"), context=5, batch=2)
    _, attention, feed_forward, _ = graph.blocks
    positioned = find(attention, Function.POSITION).attributes_as(PositionAttributes)
    assert positioned.rotary is not None
    assert positioned.rotary.dims == 4096 // 32
    activated = find(feed_forward, Function.ACTIVATE).attributes_as(ActivateAttributes)
    assert (activated.activation, activated.gated) == ("silu", True)


def test_internlm2_computes_what_llama_does() -> None:
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4}
    # The default of the one class is biased, and of the other not.
    ours = model_from_config(sizes | {"model_type": "internlm2"}, name="tiny")
    same = {"model_type": "llama", "attention_bias": True, "vocab_size": 103_168}
    theirs = model_from_config(sizes | same, name="tiny")
    graphs = [graph_of(each, context=5, batch=2) for each in (ours, theirs)]
    assert graphs[0] == graphs[1]


def test_mixtral_chooses_two_of_eight_experts_behind_its_norm() -> None:
    graph = graph_of(load_model("mixtral-8x7b"), context=5, batch=2)
    feed_forward = graph.blocks[2]
    order = ["norm", "router", "scale", "choose", "gate_up"]
    assert names(feed_forward)[:5] == order
    # Gate and up of eight experts of 14336 columns lie behind each other.
    assert graph.tensor("layers.0.feed_forward.up.weight").rows == 8 * 14336


def test_qwen3_norms_its_heads_around_the_rotation() -> None:
    attention = graph_of(load_model("qwen3-8b"), context=5, batch=2).blocks[1]
    order = ["qkv", "head_norm", "position", "head_scale", "scores"]
    assert names(attention)[2:7] == order


def test_phi_3_attends_to_a_window() -> None:
    graph = graph_of(load_model("phi-3-mini"), context=5, batch=2)
    scores = find(graph.blocks[1], Function.SCORES).attributes_as(AttentionAttributes)
    assert scores.window == 2047
