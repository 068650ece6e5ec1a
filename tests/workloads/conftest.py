"""Tiny models of every family."""

from collections.abc import Callable
from typing import Any

import pytest

from specs.model import ModelSpec, model_from_config

Tiny = Callable[..., ModelSpec]
_SIZES = {
    "hidden_size": 12,
    "intermediate_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 4,
    "vocab_size": 23,
    "max_position_embeddings": 32,
}
_GPT2 = {
    "n_embd": 12,
    "n_layer": 2,
    "n_head": 3,
    "n_positions": 32,
    "vocab_size": 23,
}
_DEEPSEEK = {
    "kv_lora_rank": 7,
    "q_lora_rank": 5,
    "qk_rope_head_dim": 2,
    "qk_nope_head_dim": 3,
    "v_head_dim": 6,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 9,
    "n_group": 2,
    "topk_group": 2,
    "first_k_dense_replace": 1,
}
_GPTJ = _GPT2 | {"n_embd": 18, "rotary_dim": 4}
_LINEAR = {
    "head_dim": 8,
    "full_attention_interval": 2,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 3,
    "linear_value_head_dim": 5,
    "linear_conv_kernel_dim": 3,
}
_EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 9}
_SHARED_EXPERT = {"shared_expert_intermediate_size": 7}
_OF_FAMILY: dict[str, dict[str, Any]] = {
    "deepseek_v2": _DEEPSEEK,
    "deepseek_v3": _DEEPSEEK,
    "kimi_k2": _DEEPSEEK,
    "cohere2": {"hidden_size": 16, "sliding_window": 3, "sliding_window_pattern": 2},
    "falcon": {"hidden_size": 16, "new_decoder_architecture": True, "num_kv_heads": 2},
    "arcee": {"mlp_bias": True},
    "seed_oss": {"attention_bias": False, "attention_out_bias": True},
    "exaone4": {"sliding_window": 3, "sliding_window_pattern": 2},
    "glm": {"partial_rotary_factor": 0.5},
    "granitemoe": {"hidden_size": 16, "num_local_experts": 4},
    "helium": {"num_attention_heads": 3, "num_key_value_heads": 3},
    "internlm2": {"hidden_size": 16},
    "nemotron": {"partial_rotary_factor": 0.5},
    "olmoe": {"hidden_size": 16, "num_experts": 4, "num_experts_per_tok": 2},
    "gpt_neox": {"hidden_size": 16, "rotary_pct": 0.5},
    "phi": {"hidden_size": 16},
    "gemma3_text": {"sliding_window": 3, "sliding_window_pattern": 2},
    "glm4": {"partial_rotary_factor": 0.5},
    "granite": {
        "embedding_multiplier": 12.0,
        "residual_multiplier": 0.22,
        "attention_multiplier": 0.3,
        "logits_scaling": 4.0,
    },
    "olmo3": {"sliding_window": 3},
    "opt": {"ffn_dim": 20},
    "smollm3": {"no_rope_layer_interval": 2},
    "stablelm": {
        "use_qkv_bias": True,
        "hidden_size": 16,
        "partial_rotary_factor": 0.5,
    },
    "starcoder2": {"sliding_window": 3},
    "gemma2": {"sliding_window": 3, "attn_logit_softcapping": 2.0},
    "mistral": {"sliding_window": 4},
    "mixtral": {"num_local_experts": 4, "num_experts_per_tok": 2},
    "qwen2_moe": _EXPERTS | _SHARED_EXPERT,
    "qwen3": {"attention_bias": True},
    "qwen3_moe": _EXPERTS,
    "qwen3_vl_moe_text": _EXPERTS,
    "phi3": {"partial_rotary_factor": 0.5},
    "qwen3_5_text": _LINEAR,
    "qwen3_5_moe_text": _LINEAR | _EXPERTS | _SHARED_EXPERT,
    "qwen3_next": _LINEAR | _EXPERTS | _SHARED_EXPERT,
}


def tiny_config(family: str, **changes: Any) -> dict[str, Any]:
    """Return the configuration of a tiny model of a family, with keys changed."""
    own = {"gpt2": _GPT2, "gptj": _GPTJ}
    sizes = own.get(family, _SIZES | _OF_FAMILY.get(family, {}))
    return sizes | {"model_type": family} | changes


@pytest.fixture(scope="session")
def tiny() -> Tiny:
    """Return a tiny model of a family; keys of its config can be changed."""

    def make(family: str, **changes: Any) -> ModelSpec:
        config = tiny_config(family, **changes)
        return model_from_config(config, name=f"tiny-{family}")

    return make
