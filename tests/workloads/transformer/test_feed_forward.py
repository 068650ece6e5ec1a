from collections.abc import Callable

from specs.graph import Role
from specs.model import ModelSpec
from workloads.attributes import NormAttributes, ProductAttributes
from workloads.feed_forward_attributes import ActivateAttributes, ChoiceAttributes
from workloads.operator_graph import Block
from workloads.operators import Function, GraphOperator, TokenRows
from workloads.transformer.block_builder import Transformer
from workloads.transformer.feed_forward import feed_forward

ROWS = TokenRows(batch=2, context=5, query_tokens=3, answer_tokens=1)
AT = "layers.{layer}.feed_forward."
Tiny = Callable[..., ModelSpec]


def block_of(model: ModelSpec, *, post_norm: bool = False) -> Block:
    norm = NormAttributes(epsilon=0.5, centred=model.structure.layer_norms)
    transformer = Transformer(model=model, formats=None, rows=ROWS, norm=norm)
    (block,) = feed_forward(transformer, post_norm=post_norm)
    return block


def weights(block: Block) -> dict[str, tuple[int, int]]:
    return {
        each.name.removeprefix(AT): (each.rows, each.columns)
        for each in block.tensors
        if each.role is Role.WEIGHTS
    }


def find(block: Block, function: Function) -> GraphOperator:
    return next(each for each in block.operators if each.function is function)


def test_a_gated_feed_forward_has_three_matrices_and_is_in_every_layer(
    tiny: Tiny,
) -> None:
    block = block_of(tiny("llama"))
    assert weights(block) == {
        "norm.weight": (1, 12),
        "gate.weight": (20, 12),
        "up.weight": (20, 12),
        "down.weight": (12, 20),
    }
    assert block.layers == (0, 1)
    assert find(block, Function.ACTIVATE).inputs == (f"{AT}gate", f"{AT}up")
    assert block.hands_on == f"{AT}output"


def test_a_plain_feed_forward_has_two_matrices_and_their_biases(tiny: Tiny) -> None:
    block = block_of(tiny("gpt2"))
    assert weights(block) == {
        "norm.weight": (1, 12),
        "norm.bias": (1, 12),
        "up.weight": (48, 12),
        "up.bias": (1, 48),
        "down.weight": (12, 48),
        "down.bias": (1, 12),
    }
    assert find(block, Function.ACTIVATE).inputs == (f"{AT}up", f"{AT}up.bias")
    assert find(block, Function.ADD).inputs[-1] == f"{AT}down.bias"


def test_experts_are_chosen_by_the_weighed_input_and_their_matrices_are_stacked(
    tiny: Tiny,
) -> None:
    block = block_of(tiny("mixtral"))
    assert weights(block)["router.weight"] == (4, 12)
    assert weights(block)["gate.weight"] == (4 * 20, 12)
    assert weights(block)["down.weight"] == (12, 4 * 20)
    assert find(block, Function.ROUTER).inputs[0] == f"{AT}weighed"
    choose = find(block, Function.CHOOSE)
    assert choose.inputs == (f"{AT}router_scores", f"{AT}squares")
    assert choose.attributes == ChoiceAttributes(
        experts=4, experts_per_token=2, columns=12, epsilon=0.5
    )
    activate = find(block, Function.ACTIVATE)
    assert activate.inputs[-1] == f"{AT}choice"
    assert activate.attributes_as(ActivateAttributes).experts == 4


def test_biases_of_experts_are_added_by_their_choice(tiny: Tiny) -> None:
    model = tiny("mixtral").model_copy(update={"feed_forward_biases": True})
    block = block_of(model)
    assert weights(block)["down.bias"] == (4, 12)
    added = find(block, Function.ADD)
    assert added.inputs[2:] == (f"{AT}down.bias", f"{AT}choice")


def test_a_norm_behind_the_feed_forward_comes_last(tiny: Tiny) -> None:
    block = block_of(tiny("gemma2"), post_norm=True)
    assert block.operators[-1].function is Function.NORM_ADD
    assert weights(block)["post_norm.weight"] == (1, 12)


def test_experts_behind_a_layer_norm_are_scored_with_its_weights_and_bias(
    tiny: Tiny,
) -> None:
    block = block_of(tiny("phimoe", num_local_experts=2, num_experts_per_tok=1))
    router = find(block, Function.ROUTER)
    assert router.inputs[2:] == (f"{AT}norm.weight", f"{AT}norm.bias")
    (scores,) = (each for each in block.tensors if each.name == router.outputs[0])
    assert scores.columns == 3 * 2
    assert find(block, Function.CHOOSE).attributes_as(ChoiceAttributes).centred


def test_a_shared_expert_is_a_second_left_operand_of_the_last_product(
    tiny: Tiny,
) -> None:
    sizes = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 5}
    model = tiny("qwen2_moe", **sizes, shared_expert_intermediate_size=7)
    block = block_of(model)
    assert weights(block)["shared_gate.weight"] == (7, 12)
    assert weights(block)["shared_down.weight"] == (12, 7)
    assert weights(block)["shared_router.weight"] == (1, 12)
    down = next(each for each in block.operators if each.name == f"{AT}down")
    assert down.attributes_as(ProductAttributes).lefts == 2
    assert down.inputs == (
        f"{AT}activated",
        f"{AT}shared_activated",
        f"{AT}down.weight",
        f"{AT}shared_down.weight",
    )
    assert find(block, Function.CHOOSE).outputs == (f"{AT}choice", f"{AT}shared_choice")
