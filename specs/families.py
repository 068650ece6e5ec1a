"""Transformer families: the structure that a ``model_type`` of a config implies."""

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Structure that all models of a family share.

    Parameters
    ----------
    norms_per_layer
        Number of normalisations in one layer.
    layer_norms
        Whether they are LayerNorms, which subtract a mean and add a bias; otherwise
        they only divide by the root mean square.
    gated
        Whether the feed-forward multiplies its activations by a gate.
    biased
        Whether every projection has a bias, independent of the config.
    qkv_biased
        Whether query, key and value projections have a bias, independent of the config.
    head_norms
        Whether each query and key head is normalised.
    learned_positions
        Whether positions are rows of a table; otherwise query and key are rotated.
    encoder
        Whether all positions are computed at once and attend to each other.
    tied_embeddings
        Whether the head is the embedding if the config does not state it.
    """

    norms_per_layer: int = 2
    layer_norms: bool = False
    gated: bool = True
    biased: bool = False
    qkv_biased: bool = False
    head_norms: bool = False
    learned_positions: bool = False
    encoder: bool = False
    tied_embeddings: bool = False


_ENCODER = Family(
    layer_norms=True, gated=False, biased=True, learned_positions=True, encoder=True
)
# The defaults are those of the configuration classes in Hugging Face transformers.
FAMILIES = {
    "bert": _ENCODER,
    "gemma2": Family(norms_per_layer=4, tied_embeddings=True),
    "gpt2": Family(
        layer_norms=True,
        gated=False,
        biased=True,
        learned_positions=True,
        tied_embeddings=True,
    ),
    "llama": Family(),
    "mistral": Family(),
    "mixtral": Family(),
    "phi3": Family(),
    "qwen2": Family(qkv_biased=True),
    "qwen3": Family(head_norms=True),
    "roberta": _ENCODER,
}

# Families that read attention_bias and mlp_bias from their config.
ATTENTION_BIAS_READERS = ("gemma2", "llama", "qwen3")
MLP_BIAS_READERS = ("llama",)

# Config keys of mechanisms that are not modelled, and the name of each mechanism.
UNMODELLED = {
    "alibi": "linear attention biases",
    "attn_layer_period": "layers that alternate with other kinds",
    "first_k_dense_replace": "dense layers before those of experts",
    "kv_lora_rank": "latent attention",
    "moe_intermediate_size": "experts of a size of their own",
    "n_routed_experts": "routed beside shared experts",
    "num_decoder_layers": "a decoder beside its encoder",
    "parallel_attn": "attention and feed-forward side by side",
    "relative_attention_num_buckets": "relative attention biases",
    "shared_expert_intermediate_size": "shared experts",
    "ssm_cfg": "state-space layers",
    "state_size": "state-space layers",
    "text_config": "a language model beside another model",
    "use_parallel_residual": "attention and feed-forward side by side",
}
