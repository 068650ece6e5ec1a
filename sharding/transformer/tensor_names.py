"""What the tensors of each family are called in Hugging Face checkpoints."""

from dataclasses import dataclass, replace
from typing import final


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TensorNames:
    """Names without ``.weight`` and ``.bias``; two alike are one fused tensor.

    ``{layer}`` stands for the layer, ``{expert}`` for the expert within it.

    Parameters
    ----------
    embedding, positions, token_types
        Tables that a token is looked up in.
    query, key, value, output
        Projections of attention.
    gate, up, down
        Projections of a feed-forward; `gate` is not used if it has none.
    attention_norm, feed_forward_norm
        What each block normalises its input with.
    attention_post_norm, feed_forward_post_norm
        What each normalises its output with, if it does.
    final_norm, head
        What makes the output of the last layer's.
    router
        Which expert takes a token.
    first_norm
        What the first layer's attention normalises with, if that is special.
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
        """Return the name of what the attention of `layer` normalises with."""
        if layer == 0 and self.first_norm:
            return self.first_norm
        return self.attention_norm.format(layer=layer, before=layer - 1)

    def norm_before_head(self, layers: int) -> str:
        """Return the name of what the output of the last of `layers` passes."""
        return self.final_norm.format(before=layers - 1)


_LLAMA = TensorNames()
# A norm behind a block is one before the next: that it lies on the path, too, of what
# is added to the block's output costs nothing more.
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
NAMES = {
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
    """Return what the tensors of a model are called; one expert is a dense model."""
    names = NAMES[family]
    if experts == 1:
        return names
    return replace(
        names, gate=f"{_EXPERT}.w1", up=f"{_EXPERT}.w3", down=f"{_EXPERT}.w2"
    )
