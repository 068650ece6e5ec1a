"""Makes transformers_values.json: what Hugging Face transformers computes.

Run from the root of the repository, where torch and transformers are installed beside
the packages of this project; they are no dependencies of its tests::

    python -m tests.workloads.reference.make_transformers_values

Each case is a tiny configuration, whose model gets the random weights of its operator
graph. An update of the file is right only if a bug was found in how it is made.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from sharding.weights.tensor_names import names_of
from specs.model import ModelSpec, model_from_config
from workloads.model_graph import graph_of
from workloads.reference.activations import Array
from workloads.reference.evaluation import random_weights

VALUES = Path(__file__).with_name("transformers_values.json")
SEED = 5
# None is the padding of roberta, which has no position.
TOKENS = [[3, 0, 4, 3, 5, 9, 2], [6, 5, 3, 5, 8, 9, 7]]
DIGITS = 10
SIZES = {
    "hidden_size": 12,
    "intermediate_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 4,
    "vocab_size": 11,
    "max_position_embeddings": 16,
}
DECODER = SIZES | {"rms_norm_eps": 1e-3, "tie_word_embeddings": False}
ENCODER = {k: SIZES[k] for k in SIZES if k not in ("num_key_value_heads", "head_dim")}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 100.0,
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8,
}
LINEAR = {"rope_type": "linear", "rope_theta": 100.0, "factor": 2.0}
YARN = {
    "rope_type": "yarn",
    "rope_theta": 100.0,
    "factor": 4.0,
    "beta_fast": 2.0,
    "beta_slow": 0.25,
    "mscale": 0.7,
    "mscale_all_dim": 1.0,
    "original_max_position_embeddings": 8,
}
LATENT = {key: DECODER[key] for key in DECODER if key != "head_dim"}
LATENT |= {
    "num_key_value_heads": 4,
    "kv_lora_rank": 6,
    "q_lora_rank": 7,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 3,
    "v_head_dim": 5,
    "n_routed_experts": 6,
    "n_shared_experts": 2,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 7,
    "n_group": 3,
    "topk_group": 2,
    # The first layer is dense.
    "first_k_dense_replace": 1,
}
FALCON = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 11,
}
NEOX = {
    "hidden_size": 16,
    "intermediate_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 11,
    "max_position_embeddings": 16,
}
EXPERTS = {"num_experts": 5, "num_experts_per_tok": 2, "moe_intermediate_size": 7}
# The rotation of a model that sees: sections of pairs by time, height and width.
VISUAL = {
    "hidden_size": 16,
    "rope_parameters": {
        "rope_type": "default",
        "rope_theta": 50.0,
        "mrope_section": [1, 1, 0],
    },
}
# Three layers of linear attention, whose convolution is longer than a token's past.
LINEAR_ATTENTION = DECODER | {
    "num_hidden_layers": 4,
    "head_dim": 8,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 3,
    "linear_value_head_dim": 5,
    "linear_conv_kernel_dim": 3,
}
CASES: dict[str, dict[str, Any]] = {
    "llama": DECODER | {"model_type": "llama", "rope_theta": 50.0},
    "llama with biases": DECODER
    | {"model_type": "llama", "attention_bias": True, "mlp_bias": True},
    "llama3 scaling": DECODER | {"model_type": "llama", "rope_parameters": LLAMA3},
    "linear scaling": DECODER | {"model_type": "llama", "rope_parameters": LINEAR},
    "mistral": DECODER | {"model_type": "mistral", "sliding_window": 3},
    "mixtral": DECODER
    | {"model_type": "mixtral", "num_local_experts": 5, "num_experts_per_tok": 2},
    "qwen2": DECODER | {"model_type": "qwen2"},
    "qwen3": DECODER | {"model_type": "qwen3", "attention_bias": True},
    # The first layer is dense.
    "qwen3_moe": DECODER
    | EXPERTS
    | {
        "model_type": "qwen3_moe",
        "attention_bias": True,
        "mlp_only_layers": [0],
        "norm_topk_prob": True,
    },
    "qwen2_moe": DECODER
    | EXPERTS
    | {"model_type": "qwen2_moe", "shared_expert_intermediate_size": 9},
    # Chunks of three positions; the first layer is dense, the second unrotated.
    "llama4_text": DECODER
    | {
        "model_type": "llama4_text",
        "num_local_experts": 5,
        "num_experts_per_tok": 2,
        "intermediate_size": 7,
        "intermediate_size_mlp": 20,
        "attention_chunk_size": 3,
        "floor_scale": 2,
        "attn_scale": 0.5,
        "moe_layers": [1],
        "no_rope_layers": [1, 0],
        "layer_types": ["chunked_attention", "full_attention"],
        "pad_token_id": 0,
    },
    "phimoe": DECODER
    | {
        "model_type": "phimoe",
        "num_local_experts": 5,
        "num_experts_per_tok": 2,
        "attention_bias": True,
        "lm_head_bias": True,
        "router_jitter_noise": 0.4,
        "sliding_window": None,
        "pad_token_id": 0,
    },
    "gpt_oss": DECODER
    | {
        "model_type": "gpt_oss",
        "num_local_experts": 5,
        "num_experts_per_tok": 2,
        "sliding_window": 3,
        "swiglu_limit": 0.4,
        "layer_types": ["sliding_attention", "full_attention"],
        "rope_parameters": {"rope_type": "default", "rope_theta": 50.0},
    },
    "deepseek_v3": LATENT | {"model_type": "deepseek_v3", "rope_parameters": YARN},
    "deepseek_v3 without a latent of queries": LATENT
    | {"model_type": "deepseek_v3", "q_lora_rank": None, "norm_topk_prob": False},
    "deepseek_v2": LATENT
    | {
        "model_type": "deepseek_v2",
        "topk_method": "group_limited_greedy",
        "routed_scaling_factor": 3.0,
    },
    "kimi_k2": LATENT | {"model_type": "kimi_k2", "n_group": 1, "topk_group": 1},
    "qwen3_5_text": LINEAR_ATTENTION
    | {
        "model_type": "qwen3_5_text",
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 50.0,
            "partial_rotary_factor": 0.5,
        },
    },
    "qwen3_5_moe_text": LINEAR_ATTENTION
    | EXPERTS
    | {"model_type": "qwen3_5_moe_text", "shared_expert_intermediate_size": 9},
    # The first layer is dense, and the second attends to all positions.
    "qwen3_next": LINEAR_ATTENTION
    | EXPERTS
    | {
        "model_type": "qwen3_next",
        "num_hidden_layers": 2,
        "layer_types": ["linear_attention", "full_attention"],
        "mlp_only_layers": [0],
        "shared_expert_intermediate_size": 9,
        "norm_topk_prob": False,
    },
    "phi3": DECODER
    | {
        "model_type": "phi3",
        "partial_rotary_factor": 0.5,
        "sliding_window": 4,
        "pad_token_id": 0,
    },
    "gemma2": SIZES
    | {
        "model_type": "gemma2",
        "sliding_window": 3,
        "query_pre_attn_scalar": 9,
        "attn_logit_softcapping": 2.0,
        "final_logit_softcapping": 3.0,
    },
    "gemma": SIZES | {"model_type": "gemma"},
    "gemma3": SIZES
    | {
        "model_type": "gemma3_text",
        "num_hidden_layers": 3,
        "sliding_window": 3,
        "sliding_window_pattern": 3,
        "query_pre_attn_scalar": 9,
        "rope_parameters": {
            "full_attention": LINEAR | {"rope_theta": 50.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 20.0},
        },
    },
    "glm4": DECODER
    | {"model_type": "glm4", "partial_rotary_factor": 0.5, "pad_token_id": 0},
    "granite": DECODER
    | {
        "model_type": "granite",
        "embedding_multiplier": 3.0,
        "residual_multiplier": 0.7,
        "attention_multiplier": 0.3,
        "logits_scaling": 0.5,
    },
    "olmo2": DECODER | {"model_type": "olmo2", "pad_token_id": 0},
    "olmo3": DECODER
    | {
        "model_type": "olmo3",
        "pad_token_id": 0,
        "num_hidden_layers": 4,
        "sliding_window": 3,
    },
    # Three heads: the last has a slope between those of the others.
    "bloom": {
        "model_type": "bloom",
        "hidden_size": 12,
        "n_layer": 2,
        "n_head": 3,
        "vocab_size": 11,
    },
    "qwen2_vl_text": DECODER | VISUAL | {"model_type": "qwen2_vl_text"},
    "qwen2_5_vl_text": DECODER | VISUAL | {"model_type": "qwen2_5_vl_text"},
    "qwen3_vl_text": DECODER | VISUAL | {"model_type": "qwen3_vl_text"},
    "qwen3_vl_moe_text": DECODER
    | EXPERTS
    | VISUAL
    | {"model_type": "qwen3_vl_moe_text", "mlp_only_layers": [0]},
    "arcee": DECODER | {"model_type": "arcee", "mlp_bias": True},
    "seed_oss": DECODER | {"model_type": "seed_oss"},
    "seed_oss with a bias out of attention alone": DECODER
    | {"model_type": "seed_oss", "attention_bias": False, "attention_out_bias": True},
    "ernie4_5": DECODER | {"model_type": "ernie4_5", "use_bias": True},
    "internlm2": {key: DECODER[key] for key in DECODER if key != "head_dim"}
    | {"model_type": "internlm2", "hidden_size": 16, "bias": True},
    "helium": DECODER
    | {"model_type": "helium", "num_attention_heads": 3, "num_key_value_heads": 3},
    "glm": DECODER
    | {"model_type": "glm", "partial_rotary_factor": 0.5, "pad_token_id": 0},
    "nemotron": DECODER
    | {"model_type": "nemotron", "partial_rotary_factor": 0.5, "norm_eps": 1e-3},
    "olmoe": DECODER
    | {
        "model_type": "olmoe",
        "hidden_size": 16,
        "num_experts": 5,
        "num_experts_per_tok": 2,
        "norm_topk_prob": True,
    },
    "granitemoe": DECODER
    | {
        "model_type": "granitemoe",
        "hidden_size": 16,
        "num_local_experts": 5,
        "num_experts_per_tok": 2,
        "embedding_multiplier": 3.0,
        "residual_multiplier": 0.7,
        "attention_multiplier": 0.3,
        "logits_scaling": 0.5,
    },
    # Layers without a window do not rotate.
    "exaone4": DECODER
    | {"model_type": "exaone4", "sliding_window": 3, "sliding_window_pattern": 2},
    "exaone4 without a window": DECODER
    | {
        "model_type": "exaone4",
        "sliding_window": None,
        "layer_types": ["full_attention", "full_attention"],
    },
    "smollm3": DECODER
    | {"model_type": "smollm3", "no_rope_layer_interval": 2, "pad_token_id": 0},
    "cohere": DECODER | {"model_type": "cohere", "logit_scale": 0.3, "pad_token_id": 0},
    # Every second layer has a window, and only that rotates.
    "cohere2": DECODER
    | {
        "model_type": "cohere2",
        "hidden_size": 16,
        "logit_scale": 0.5,
        "sliding_window": 3,
        "layer_types": ["sliding_attention", "full_attention"],
        "pad_token_id": 0,
    },
    "falcon": FALCON | {"model_type": "falcon"},
    "falcon with grouped heads": FALCON
    | {"model_type": "falcon", "new_decoder_architecture": True, "num_kv_heads": 2},
    "falcon with grouped heads and one norm": FALCON
    | {
        "model_type": "falcon",
        "new_decoder_architecture": True,
        "num_kv_heads": 2,
        "num_ln_in_parallel_attn": 1,
        "tie_word_embeddings": False,
    },
    "falcon with linear biases": FALCON
    | {
        "model_type": "falcon",
        "alibi": True,
        "multi_query": False,
        "parallel_attn": False,
        "bias": True,
    },
    "gpt_neox": NEOX | {"model_type": "gpt_neox", "rotary_pct": 0.5},
    "gpt_neox in sequence": NEOX
    | {"model_type": "gpt_neox", "use_parallel_residual": False, "rotary_pct": 1.0},
    "gptj": {
        "model_type": "gptj",
        "n_embd": 12,
        "n_layer": 2,
        "n_head": 3,
        "n_positions": 16,
        "rotary_dim": 2,
        "vocab_size": 11,
    },
    "phi": NEOX | {"model_type": "phi"},
    "stablelm in parallel": DECODER
    | {
        "model_type": "stablelm",
        "hidden_size": 16,
        "use_parallel_residual": True,
        "partial_rotary_factor": 0.5,
    },
    "stablelm": DECODER
    | {
        "model_type": "stablelm",
        "hidden_size": 16,
        "use_qkv_bias": True,
        "layer_norm_eps": 1e-3,
        "partial_rotary_factor": 0.5,
    },
    "starcoder2": DECODER
    | {"model_type": "starcoder2", "sliding_window": 3, "norm_epsilon": 1e-3},
    "opt": {key: ENCODER[key] for key in ENCODER if key != "intermediate_size"}
    | {
        "model_type": "opt",
        "ffn_dim": 20,
        "word_embed_proj_dim": 12,
        "pad_token_id": 1,
    },
    "gpt2": {
        "model_type": "gpt2",
        "n_embd": 12,
        "n_layer": 2,
        "n_head": 3,
        "n_positions": 16,
        "vocab_size": 11,
    },
    "bert": ENCODER | {"model_type": "bert"},
    "roberta": ENCODER | {"model_type": "roberta", "pad_token_id": 1},
}
# What transformers calls a family that it has under another name.
THEIRS = {"kimi_k2": "deepseek_v3", "internlm2": "llama"}
# A family whose tensors it has under the names of another, and what keys are there.
NAMED_AS = {"internlm2": "llama"}
RENAMED_KEYS = {"internlm2": {"bias": "attention_bias"}}
# Our names of a layer's tensors, and the fields of `TensorNames` with those outside.
LAYER = {
    "attention.norm": "attention_norm",
    "attention.query": "query",
    "attention.key": "key",
    "attention.value": "value",
    "attention.output": "output",
    "attention.query_down": "query_down",
    "attention.query_up": "query_up",
    "attention.latent_down": "latent_down",
    "attention.latent_norm": "latent_norm",
    "attention.key_value_up": "key_value_up",
    "attention.query_norm": "query_norm",
    "attention.query_latent_norm": "query_latent_norm",
    "attention.key_norm": "key_norm",
    "attention.output_gate": "output_gate",
    "attention.post_norm": "attention_post_norm",
    "feed_forward.norm": "feed_forward_norm",
    "feed_forward.post_norm": "feed_forward_post_norm",
    "feed_forward.gate": "gate",
    "feed_forward.up": "up",
    "feed_forward.down": "down",
    "attention.sinks": "sinks",
    "feed_forward.router": "router",
    "feed_forward.router_correction": "router_correction",
    "feed_forward.shared_router": "shared_router",
    "feed_forward.shared_gate": "shared_gate",
    "feed_forward.shared_up": "shared_up",
    "feed_forward.shared_down": "shared_down",
}
# The same in a layer of linear attention.
LINEAR_LAYER = LAYER | {
    "attention.query": "linear_query",
    "attention.key": "linear_key",
    "attention.value": "linear_value",
    "attention.output_gate": "linear_gate",
    "attention.write": "linear_write",
    "attention.decay": "linear_decay",
    "attention.query_kernel": "linear_convolution",
    "attention.key_kernel": "linear_convolution",
    "attention.value_kernel": "linear_convolution",
    "attention.decay_rate": "linear_rate",
    "attention.decay.bias": "linear_bias",
    "attention.output_norm": "linear_norm",
    "attention.output": "linear_output",
}
ENDS = {
    "embedding": "embedding",
    "embedding.positions": "positions",
    "embedding.token_types": "token_types",
    "embedding.norm": "embedding_norm",
    "head.norm": "final_norm",
    "head": "head",
}


# Tensors whose names have no ending.
WHOLE = ("sinks", "e_score_correction_bias", "A_log", "dt_bias")


def checkpoint(model: ModelSpec, weights: dict[str, Array]) -> dict[str, Array]:
    """Return weights under the names of a checkpoint, fused where it fuses them."""
    family = NAMED_AS.get(model.family, model.family)
    names = names_of(family, experts=1).in_order(model.block_order)
    parts: dict[str, list[Array]] = {}
    for name, value in weights.items():
        stem, kind = name.rsplit(".", 1)
        vector = kind == "bias" or (
            value.shape[0] == 1 and stem.endswith(("norm", "sinks", "rate"))
        )
        own_value = value.reshape(-1) if vector else value
        if stem in ENDS:
            target = getattr(names, ENDS[stem])
            layer = model.layers
        else:
            _, number, part = stem.split(".", 2)
            layer = int(number)
            own_names = names_of(family, experts=model.experts_in(layer))
            own_names = own_names.in_order(model.block_order)
            if part == "feed_forward.norm" and model.block_order.shares_norm:
                continue
            if part == "attention.query_norm" and model.latent is not None:
                part = "attention.query_latent_norm"
            ours = LINEAR_LAYER if model.is_linear(layer) else LAYER
            whole = f"{part}.{kind}"
            target = getattr(own_names, ours[whole if whole in ours else part])
            if part == "attention.norm" and layer == 0 and names.first_norm:
                target = names.first_norm
        if not target.endswith(WHOLE):
            target = f"{target}.{kind}"
        if "{expert}" not in target:
            full = target.format(layer=layer, before=layer - 1)
            parts.setdefault(full, []).append(own_value)
            continue
        axis = 1 if stem.endswith("down") != (kind == "bias") else 0
        for expert, own in enumerate(np.split(value, model.experts, axis)):
            full = target.format(layer=layer, before=layer - 1, expert=expert)
            parts.setdefault(full, []).append(own.reshape(-1) if vector else own)
    fused = {name: fuse(name, values, model) for name, values in parts.items()}
    if model.family == "gpt_neox":
        # What checkpoints call by another name.
        fused["lm_head.weight"] = fused.pop("embed_out.weight")
    if model.family == "gpt2":
        # Its projections are stored transposed.
        fused = {
            name: value.T if ".c_" in name and value.ndim > 1 else value
            for name, value in fused.items()
        }
    return fused


def by_groups(values: list[Array], groups: int) -> Array:
    """Return queries, keys and values fused group of heads after group of heads."""
    split = [np.split(each, groups) for each in values]
    return np.concatenate([part for own in zip(*split, strict=True) for part in own])


def fuse(name: str, parts: list[Array], model: ModelSpec) -> Array:
    """Return the parts of a tensor as a checkpoint has them: mostly one by one.

    Queries and their gates alternate by heads, and so do projections of linear
    attention of which a head has all kinds.
    """
    heads = 0
    if model.structure.output_gates and name.endswith("q_proj.weight"):
        heads = model.attention_heads
    if name.endswith(("in_proj_qkvz.weight", "in_proj_ba.weight")):
        assert model.linear is not None
        heads = model.linear.key_heads
    if name.endswith("conv1d.weight"):
        return np.concatenate(parts)[:, None]
    if "query_key_value" in name:
        return by_groups(parts, model.kv_heads)
    if heads:
        columns = parts[0].shape[1]
        parts = [part.reshape(heads, -1, columns) for part in parts]
        return np.concatenate(parts, axis=1).reshape(-1, columns)
    return np.concatenate(parts)


def values(config: dict[str, Any]) -> dict[str, Any]:
    """Return a case: its configuration, and logits or the pooled state."""
    torch, transformers = import_module("torch"), import_module("transformers")
    model = model_from_config(config, name="tiny")
    graph = graph_of(model, context=len(TOKENS[0]), batch=2, query_tokens=7)
    weights = checkpoint(model, random_weights(graph, SEED))
    own = config["model_type"]
    renamed = RENAMED_KEYS.get(own, {})
    stated = {renamed.get(key, key): value for key, value in config.items()}
    made = transformers.AutoConfig.for_model(
        **stated | {"model_type": THEIRS.get(own, own)}
    )
    made._attn_implementation = made._experts_implementation = "eager"
    if model.structure.scaled_alibi and model.alibi:
        # Eager attention of version 5.23 adds the biases twice.
        made._attn_implementation = "sdpa"
    encoder = model.structure.encoder
    visual = "vl" in own.split("_")
    without_head = encoder or visual
    kind = transformers.AutoModelForCausalLM
    kind = transformers.AutoModel if without_head else kind
    theirs = kind.from_config(made).double().eval()
    if model.experts > 1:
        weights = fused_experts(weights, model)
    state = {name: torch.tensor(value) for name, value in weights.items()}
    if visual:
        # The text part alone is a model without a head.
        head = state.pop("lm_head.weight")
        state = {name.removeprefix("model."): each for name, each in state.items()}
    report = theirs.load_state_dict(state, strict=False)
    lacking = [name for name in report.missing_keys if "lm_head" not in name]
    assert not lacking, report
    assert not report.unexpected_keys, report
    theirs.tie_weights()

    def answer(found: Any) -> Any:
        if visual:
            return found.last_hidden_state @ head.T
        return found.pooler_output if encoder else found.logits

    with torch.no_grad(), in_doubles(torch, model):
        found = theirs(torch.tensor(TOKENS))
    result = answer(found)
    return {
        "config": config,
        "shape": list(result.shape),
        "values": [round(x, DIGITS) for x in result.flatten().tolist()],
    }


@contextmanager
def in_doubles(torch: Any, model: ModelSpec) -> Iterator[None]:
    """Let linear attention compute in 64 bits what it always does in 32.

    Its states add up the rounding of all tokens, to some 5e-5 in these cases.
    """
    if model.linear is None:
        yield
        return
    kept = torch.float32, torch.Tensor.float
    torch.float32, torch.Tensor.float = torch.float64, torch.Tensor.double
    try:
        yield
    finally:
        torch.float32, torch.Tensor.float = kept


def fused_experts(weights: dict[str, Array], model: ModelSpec) -> dict[str, Array]:
    """Return weights with experts in one tensor, as transformers 5 keeps them."""
    kept = {n: v for n, v in weights.items() if ".experts." not in n}
    names = names_of(model.family, experts=model.experts)
    for layer in filter(model.has_experts, range(model.layers)):
        inward = dict.fromkeys((names.gate, names.up))

        def of(name: str, expert: int, kind: str = "weight", layer: int = layer) -> Any:
            return weights[f"{name.format(layer=layer, expert=expert)}.{kind}"]

        ours = names.down.format(layer=layer, expert=0).partition(".experts.")[0]
        ours, experts = f"{ours}.experts", range(model.experts)
        made = {
            "gate_up_proj": [np.vstack([of(n, e) for n in inward]) for e in experts],
            "down_proj": [of(names.down, expert) for expert in experts],
        }
        if model.family == "llama4_text":
            # Inputs are rows.
            made = {name: [each.T for each in made[name]] for name in made}
        if model.family == "gpt_oss":
            # Inputs are rows, and gates alternate with what they multiply.
            made = {
                "gate_up_proj": [alternating(each).T for each in made["gate_up_proj"]],
                "gate_up_proj_bias": [
                    alternating(of(names.up, expert, "bias")) for expert in experts
                ],
                "down_proj": [each.T for each in made["down_proj"]],
                "down_proj_bias": [of(names.down, e, "bias") for e in experts],
            }
        kept |= {f"{ours}.{name}": np.stack(each) for name, each in made.items()}
    if model.family == "granitemoe":
        return {n.replace("router.layer", "router"): v for n, v in kept.items()}
    if model.family == "phimoe":
        kept = {n.replace("moe.gate", "moe.router"): v for n, v in kept.items()}
    return {n.replace("block_sparse_moe", "mlp"): v for n, v in kept.items()}


def alternating(halves: Array) -> Array:
    """Return the rows of two halves by turns."""
    return np.stack(np.split(halves, 2), axis=1).reshape(halves.shape)


if __name__ == "__main__":
    content = {
        "made_by": {n: import_module(n).__version__ for n in ("transformers", "torch")},
        "seed": SEED,
        "tokens": TOKENS,
        "cases": {name: values(config) for name, config in CASES.items()},
    }
    VALUES.write_text(json.dumps(content) + "\n")
