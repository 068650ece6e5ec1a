from typing import Any

import pytest

from specs.errors import SpecError
from specs.model import ModelSpec, model_from_config
from specs.router import RouterScores

# Those of DeepSeek-V2-Lite.
LITE: dict[str, Any] = {
    "model_type": "deepseek_v2",
    "first_k_dense_replace": 1,
    "hidden_size": 2048,
    "intermediate_size": 10_944,
    "kv_lora_rank": 512,
    "max_position_embeddings": 163_840,
    "moe_intermediate_size": 1408,
    "n_group": 1,
    "n_routed_experts": 64,
    "n_shared_experts": 2,
    "norm_topk_prob": False,
    "num_attention_heads": 16,
    "num_experts_per_tok": 6,
    "num_hidden_layers": 27,
    "num_key_value_heads": 16,
    "q_lora_rank": None,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "rope_theta": 10_000,
    "routed_scaling_factor": 1.0,
    "scoring_func": "softmax",
    "tie_word_embeddings": False,
    "topk_group": 1,
    "topk_method": "greedy",
    "v_head_dim": 128,
    "vocab_size": 102_400,
}


def of(**changes: object) -> ModelSpec:
    return model_from_config(LITE | changes, name="lite")


def without(key: str) -> ModelSpec:
    config = {name: value for name, value in LITE.items() if name != key}
    return model_from_config(config, name="lite")


def test_a_config_of_latents_counts_the_published_parameters() -> None:
    # Bytes of the checkpoint's index, two a parameter.
    assert 2 * of().parameters == 31_412_968_448


def test_null_is_no_latent_of_queries_and_an_absent_key_that_of_the_class() -> None:
    latent, default = of().latent, without("q_lora_rank").latent
    assert latent is not None
    assert default is not None
    assert latent.query_rank is None
    assert default.query_rank == 1536


def test_heads_are_as_large_as_their_parts_and_each_has_a_key() -> None:
    model = of(num_key_value_heads=1)
    assert (model.head_dim, model.kv_heads) == (128 + 64, 16)
    assert model.cached_size == 512 + 64


def test_shared_experts_are_one_of_so_many_times_the_size_of_the_others() -> None:
    model = of()
    assert model.shared_size(1) == 2 * 1408
    assert model.shared_size(0) == 0
    assert model.expert_layers == tuple(range(1, 27))


@pytest.mark.parametrize(
    ("method", "groups", "correction"),
    [("greedy", 1, False), ("group_limited_greedy", 8, False), ("noaux_tc", 8, True)],
)
def test_a_router_chooses_as_its_config_says(
    method: str, groups: int, correction: bool
) -> None:
    router = of(topk_method=method, n_group=8, topk_group=3).router
    assert (router.groups, router.correction) == (groups, correction)
    assert router.scores is RouterScores.SOFTMAX
    assert not router.normalised


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kv_lora_rank": 0}, r"kv_lora_rank = 0: must be a whole number above 0"),
        ({"q_lora_rank": "many"}, r"q_lora_rank = 'many': must be a whole number"),
        ({"attention_bias": True}, r"biases or a window of latent attention"),
        ({"rope_interleave": False}, r"rope_interleave = False of deepseek_v2"),
        ({"moe_layer_freq": 2}, r"moe_layer_freq = 2 of deepseek_v2 is not modelled"),
        ({"topk_method": "best"}, r"topk_method = 'best' is not modelled; only greedy"),
        ({"scoring_func": "tanh"}, r"scores"),
    ],
)
def test_latents_and_routers_that_are_not_modelled_are_refused(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        of(**changes)


def test_a_model_says_that_layers_which_predict_further_tokens_are_left_out() -> None:
    further = "without 1 layer(s) that predict further tokens"
    assert further in of(num_nextn_predict_layers=1).remarks
    assert of(num_nextn_predict_layers=1).parameters == of().parameters
    assert of(num_nextn_predict_layers=0).remarks == ()
