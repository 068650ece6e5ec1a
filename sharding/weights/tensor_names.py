"""Tensor names of each model family in Hugging Face checkpoints."""

from dataclasses import dataclass, replace
from typing import final


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TensorNames:
    """Tensor names of a family, without ``.weight`` and ``.bias``.

    ``{layer}`` stands for the layer, ``{before}`` for the layer before it, and
    ``{expert}`` for the expert within a layer. Projections with the same name are
    fused in one tensor.

    Parameters
    ----------
    embedding, positions, token_types
        Embedding tables.
    query, key, value, output
        Projections of attention.
    query_norm, key_norm
        Norms of each head, in families that have them.
    gate, up, down
        Projections of a feed-forward; `gate` is unused in families without one.
    attention_norm, feed_forward_norm
        Norm of each block's input.
    attention_post_norm, feed_forward_post_norm
        Norm of each block's output, in families that have one.
    final_norm, head
        Norm and projection behind the last layer.
    router
        Projection onto the scores of experts.
    first_norm
        Norm before the first layer's attention, if its name differs.
    """

    embedding: str = "model.embed_tokens"
    positions: str = ""
    token_types: str = ""
    query: str = "model.layers.{layer}.self_attn.q_proj"
    key: str = "model.layers.{layer}.self_attn.k_proj"
    value: str = "model.layers.{layer}.self_attn.v_proj"
    output: str = "model.layers.{layer}.self_attn.o_proj"
    query_norm: str = "model.layers.{layer}.self_attn.q_norm"
    key_norm: str = "model.layers.{layer}.self_attn.k_norm"
    gate: str = "model.layers.{layer}.mlp.gate_proj"
    up: str = "model.layers.{layer}.mlp.up_proj"
    down: str = "model.layers.{layer}.mlp.down_proj"
    attention_norm: str = "model.layers.{layer}.input_layernorm"
    attention_post_norm: str = "model.layers.{layer}.post_attention_layernorm"
    feed_forward_norm: str = "model.layers.{layer}.post_attention_layernorm"
    feed_forward_post_norm: str = "model.layers.{layer}.post_feedforward_layernorm"
    final_norm: str = "model.norm"
    head: str = "lm_head"
    router: str = "model.layers.{layer}.block_sparse_moe.gate"
    first_norm: str = ""

    def norm_before_attention(self, layer: int) -> str:
        """Return the name of the norm before the attention of `layer`."""
        if layer == 0 and self.first_norm:
            return self.first_norm
        return self.attention_norm.format(layer=layer, before=layer - 1)

    def norm_before_head(self, layers: int) -> str:
        """Return the name of the norm before the head of a model of `layers`."""
        return self.final_norm.format(before=layers - 1)


_LLAMA = TensorNames()
# An encoder normalises behind each block. This is treated as the norm before the next
# block: that it also normalises the residual costs nothing more.
_ENCODER_LAYER = "encoder.layer.{layer}"
_ENCODER = TensorNames(
    embedding="embeddings.word_embeddings",
    positions="embeddings.position_embeddings",
    token_types="embeddings.token_type_embeddings",
    query=f"{_ENCODER_LAYER}.attention.self.query",
    key=f"{_ENCODER_LAYER}.attention.self.key",
    value=f"{_ENCODER_LAYER}.attention.self.value",
    output=f"{_ENCODER_LAYER}.attention.output.dense",
    up=f"{_ENCODER_LAYER}.intermediate.dense",
    down=f"{_ENCODER_LAYER}.output.dense",
    first_norm="embeddings.LayerNorm",
    attention_norm="encoder.layer.{before}.output.LayerNorm",
    feed_forward_norm=f"{_ENCODER_LAYER}.attention.output.LayerNorm",
    final_norm="encoder.layer.{before}.output.LayerNorm",
    head="pooler.dense",
)
_GPT2_LAYER = "transformer.h.{layer}"
_FAMILY_NAMES = {
    "bert": _ENCODER,
    "gemma2": replace(
        _LLAMA, feed_forward_norm="model.layers.{layer}.pre_feedforward_layernorm"
    ),
    "gpt2": TensorNames(
        embedding="transformer.wte",
        positions="transformer.wpe",
        query=f"{_GPT2_LAYER}.attn.c_attn",
        key=f"{_GPT2_LAYER}.attn.c_attn",
        value=f"{_GPT2_LAYER}.attn.c_attn",
        output=f"{_GPT2_LAYER}.attn.c_proj",
        up=f"{_GPT2_LAYER}.mlp.c_fc",
        down=f"{_GPT2_LAYER}.mlp.c_proj",
        attention_norm=f"{_GPT2_LAYER}.ln_1",
        feed_forward_norm=f"{_GPT2_LAYER}.ln_2",
        final_norm="transformer.ln_f",
    ),
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "mixtral": _LLAMA,
    "phi3": replace(
        _LLAMA,
        query="model.layers.{layer}.self_attn.qkv_proj",
        key="model.layers.{layer}.self_attn.qkv_proj",
        value="model.layers.{layer}.self_attn.qkv_proj",
        gate="model.layers.{layer}.mlp.gate_up_proj",
        up="model.layers.{layer}.mlp.gate_up_proj",
    ),
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "roberta": _ENCODER,
}
_EXPERT = "model.layers.{layer}.block_sparse_moe.experts.{expert}"


def names_of(family: str, *, experts: int) -> TensorNames:
    """Return the names of a transformer's tensors to shard, by its family."""
    names = _FAMILY_NAMES[family]
    if experts == 1:
        return names
    return replace(
        names, gate=f"{_EXPERT}.w1", up=f"{_EXPERT}.w3", down=f"{_EXPERT}.w2"
    )
