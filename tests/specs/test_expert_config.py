from typing import Any

import pytest

from specs.errors import SpecError
from specs.model import ModelSpec, model_from_config
from specs.router import SOFTMAX_ROUTER, RouterScores

TINY: dict[str, Any] = {
    "model_type": "qwen2_moe",
    "hidden_size": 8,
    "intermediate_size": 20,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "vocab_size": 100,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 6,
    "shared_expert_intermediate_size": 10,
}


def of(**changes: object) -> ModelSpec:
    return model_from_config(TINY | changes, name="it")


def test_experts_and_what_is_shared_have_sizes_of_their_own() -> None:
    model = of()
    assert [model.inner_size(layer) for layer in range(4)] == [6] * 4
    assert model.shared_size(0) == 10
    assert model.shared_expert_gate
    assert model.expert_layers is None


def test_every_second_layer_may_have_experts_but_for_those_that_are_dense() -> None:
    model = of(decoder_sparse_step=2, mlp_only_layers=[3])
    assert model.expert_layers == (1,)
    assert [model.inner_size(layer) for layer in range(4)] == [20, 6, 20, 20]
    assert [model.shared_size(layer) for layer in range(4)] == [0, 10, 0, 0]
    assert [model.experts_in(layer) for layer in range(4)] == [1, 4, 1, 1]
    assert [model.feed_forward_like(layer) for layer in range(4)] == [0, 1, 0, 0]


def test_layers_of_both_kinds_count_their_own_parameters() -> None:
    plain, mixed = of(mlp_only_layers=[0, 1, 2, 3]), of(mlp_only_layers=[0, 1, 2])
    dense = 3 * 8 * 20
    # Four experts and a shared one, a router of four and the gate of the shared one.
    routed = 3 * 8 * (4 * 6 + 10) + 5 * 8
    assert mixed.parameters - plain.parameters == routed - dense
    assert mixed.feed_forward_parameters == routed
    assert plain.feed_forward_parameters == dense


def test_what_a_config_leaves_out_is_that_of_its_class() -> None:
    left_out = ("num_experts", "moe_intermediate_size", "num_experts_per_tok")
    config = {key: value for key, value in TINY.items() if key not in left_out}
    model = model_from_config(config, name="it")
    assert (model.experts, model.experts_per_token) == (60, 4)
    assert model.expert_intermediate_size == 1408


def test_a_router_normalises_if_the_config_says_so() -> None:
    assert not of().router.normalised
    router = of(norm_topk_prob=True).router
    assert (router.normalised, router.before_choice) == (True, True)
    assert router.scores is RouterScores.SOFTMAX
    assert of(model_type="mixtral", num_local_experts=4).router == SOFTMAX_ROUTER


@pytest.mark.parametrize("layers", [3, ["2"], [True]])
def test_dense_layers_that_are_no_list_of_numbers_are_refused(layers: object) -> None:
    with pytest.raises(
        SpecError, match=r"mlp_only_layers = .*must be a list of layers"
    ):
        of(mlp_only_layers=layers)


def test_llama4_lists_its_layers_of_experts_or_gives_their_period() -> None:
    config = {
        **{key: TINY[key] for key in TINY if key.startswith(("hidden", "num_"))},
        "model_type": "llama4_text",
        "num_local_experts": 4,
        "intermediate_size": 6,
        "intermediate_size_mlp": 20,
        "no_rope_layers": [],
    }
    every_second = config | {"interleave_moe_layer_step": 2}
    model = model_from_config(every_second, name="it")
    assert model.expert_layers == (1, 3)
    assert [model.inner_size(layer) for layer in range(2)] == [20, 6]
    assert model.shared_size(1) == 6
    assert model.unrotated_layers == (3,)
    assert model.windowed_layers == (0, 1, 2)
    listed = model_from_config(every_second | {"moe_layers": [0]}, name="it")
    assert listed.expert_layers == (0,)
    assert model_from_config(config, name="it").expert_layers is None


@pytest.mark.parametrize(
    "stated",
    [
        # As in Llama Guard 4: a config of the family of mixtures, all of it dense.
        {"interleave_moe_layer_step": 0},
        {"interleave_moe_layer_step": 0, "moe_layers": []},
        {"num_local_experts": 0, "num_experts_per_tok": 0},
    ],
)
def test_a_config_of_a_mixture_without_layers_of_experts_is_dense(
    stated: dict[str, object],
) -> None:
    config = {
        **{key: TINY[key] for key in TINY if key.startswith("hidden")},
        "model_type": "llama4_text",
        "num_hidden_layers": 4,
        "intermediate_size": 6,
        "intermediate_size_mlp": 20,
    }
    model = model_from_config(config | stated, name="it")
    assert (model.experts, model.experts_per_token, model.expert_layers) == (1, 1, None)
    assert (model.inner_size(0), model.shared_size(0)) == (20, 0)
    assert of(num_experts=0).experts == 1


def test_a_family_of_which_all_layers_have_experts_is_not_dense() -> None:
    mixtral = {"model_type": "mixtral", "num_local_experts": 0}
    with pytest.raises(SpecError, match=r"num_local_experts = 0: must be a whole numb"):
        of(**mixtral)
