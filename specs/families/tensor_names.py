"""Tensor names of a family in Hugging Face checkpoints."""

from functools import cached_property
from typing import Self, final

from specs.block_order import BlockOrder
from specs.validation import Spec


@final
class TensorNames(Spec):
    """Tensor names of a family, without ``.weight`` and ``.bias``.

    ``{layer}`` stands for the layer, ``{before}`` for the layer before it, and
    ``{expert}`` for the expert within a layer. Projections with the same name are
    fused in one tensor.

    Parameters
    ----------
    embedding, positions, token_types
        Embedding tables.
    embedding_norm
        Norm of the rows of the embedding, in families that have one.
    query, key, value, output
        Projections of attention.
    query_norm, key_norm
        Norms of each head, in families that have them.
    sinks
        Scores of no position, one for each query head, under their full name.
    query_down, latent_down, query_up, key_value_up
        Projections of latent attention: onto the latents, and from them to heads.
        Queries that have no latent are those of `query`.
    query_latent_norm, latent_norm
        Norms of the latents.
    output_gate
        Projection onto the gates of what heads attend to, in families that have them.
    linear_query, linear_key, linear_value, linear_gate
        Projections of linear attention: to heads, and to the gate of its output.
    linear_write, linear_decay
        Projections onto how much each value head writes, and how much it keeps.
    linear_convolution
        Convolution over queries, keys and values, in this order.
    linear_rate, linear_bias
        Rate and bias of the decay of each value head, under their full names.
    linear_norm, linear_output
        Norm of value heads, and projection out of linear attention.
    gate, up, down
        Projections of a feed-forward; `gate` is unused in families without one.
    attention_norm, feed_forward_norm
        Norm of each block's input.
    attention_post_norm, feed_forward_post_norm
        Norm of each block's output, in families that have one.
    parallel_attention_norm, parallel_feed_forward_norm
        Norms of parallel blocks, if their names differ and each has its own.
    final_norm, head
        Norm and projection behind the last layer.
    router
        Projection onto the scores of experts.
    router_correction
        Correction of these scores for the choice, under its full name.
    expert_gate, expert_up, expert_down
        Projections of one expert's feed-forward.
    shared_router
        Projection of a token onto the score of the shared expert.
    shared_gate, shared_up, shared_down
        Projections of the shared expert's feed-forward.
    first_norm
        Norm before the first layer's attention, if its name differs.
    """

    embedding: str = "model.embed_tokens"
    positions: str = ""
    token_types: str = ""
    embedding_norm: str = ""
    query: str = "model.layers.{layer}.self_attn.q_proj"
    key: str = "model.layers.{layer}.self_attn.k_proj"
    value: str = "model.layers.{layer}.self_attn.v_proj"
    output: str = "model.layers.{layer}.self_attn.o_proj"
    query_norm: str = "model.layers.{layer}.self_attn.q_norm"
    key_norm: str = "model.layers.{layer}.self_attn.k_norm"
    sinks: str = "model.layers.{layer}.self_attn.sinks"
    query_down: str = "model.layers.{layer}.self_attn.q_a_proj"
    query_latent_norm: str = "model.layers.{layer}.self_attn.q_a_layernorm"
    query_up: str = "model.layers.{layer}.self_attn.q_b_proj"
    latent_down: str = "model.layers.{layer}.self_attn.kv_a_proj_with_mqa"
    latent_norm: str = "model.layers.{layer}.self_attn.kv_a_layernorm"
    key_value_up: str = "model.layers.{layer}.self_attn.kv_b_proj"
    output_gate: str = "model.layers.{layer}.self_attn.q_proj"
    linear_query: str = "model.layers.{layer}.linear_attn.in_proj_qkv"
    linear_key: str = "model.layers.{layer}.linear_attn.in_proj_qkv"
    linear_value: str = "model.layers.{layer}.linear_attn.in_proj_qkv"
    linear_gate: str = "model.layers.{layer}.linear_attn.in_proj_z"
    linear_write: str = "model.layers.{layer}.linear_attn.in_proj_b"
    linear_decay: str = "model.layers.{layer}.linear_attn.in_proj_a"
    linear_convolution: str = "model.layers.{layer}.linear_attn.conv1d"
    linear_rate: str = "model.layers.{layer}.linear_attn.A_log"
    linear_bias: str = "model.layers.{layer}.linear_attn.dt_bias"
    linear_norm: str = "model.layers.{layer}.linear_attn.norm"
    linear_output: str = "model.layers.{layer}.linear_attn.out_proj"
    gate: str = "model.layers.{layer}.mlp.gate_proj"
    up: str = "model.layers.{layer}.mlp.up_proj"
    down: str = "model.layers.{layer}.mlp.down_proj"
    attention_norm: str = "model.layers.{layer}.input_layernorm"
    attention_post_norm: str = "model.layers.{layer}.post_attention_layernorm"
    feed_forward_norm: str = "model.layers.{layer}.post_attention_layernorm"
    feed_forward_post_norm: str = "model.layers.{layer}.post_feedforward_layernorm"
    parallel_attention_norm: str = ""
    parallel_feed_forward_norm: str = ""
    final_norm: str = "model.norm"
    head: str = "lm_head"
    router: str = "model.layers.{layer}.block_sparse_moe.gate"
    router_correction: str = "model.layers.{layer}.mlp.gate.e_score_correction_bias"
    expert_gate: str = "model.layers.{layer}.block_sparse_moe.experts.{expert}.w1"
    expert_up: str = "model.layers.{layer}.block_sparse_moe.experts.{expert}.w3"
    expert_down: str = "model.layers.{layer}.block_sparse_moe.experts.{expert}.w2"
    shared_router: str = "model.layers.{layer}.mlp.shared_expert_gate"
    shared_gate: str = "model.layers.{layer}.mlp.shared_expert.gate_proj"
    shared_up: str = "model.layers.{layer}.mlp.shared_expert.up_proj"
    shared_down: str = "model.layers.{layer}.mlp.shared_expert.down_proj"
    first_norm: str = ""

    def norm_before_attention(self, layer: int) -> str:
        """Return the name of the norm before the attention of `layer`."""
        if layer == 0 and self.first_norm:
            return self.first_norm
        return self.attention_norm.format(layer=layer, before=layer - 1)

    def norm_before_head(self, layers: int) -> str:
        """Return the name of the norm before the head of a model of `layers`."""
        return self.final_norm.format(before=layers - 1)

    def in_order(self, order: BlockOrder) -> Self:
        """Return the names in a model whose blocks have an order."""
        if order.shares_norm:
            return self._of_one_norm
        has_own = order.is_parallel and self.parallel_attention_norm
        return self._of_parallel_blocks if has_own else self

    @cached_property
    def _of_one_norm(self) -> Self:
        return self.model_copy(update={"feed_forward_norm": self.attention_norm})

    @cached_property
    def _of_parallel_blocks(self) -> Self:
        norms = {
            "attention_norm": self.parallel_attention_norm,
            "feed_forward_norm": self.parallel_feed_forward_norm,
        }
        return self.model_copy(update=norms)

    @cached_property
    def of_experts(self) -> Self:
        """Return the names with the projections of experts as the feed-forward's."""
        experts = {
            "gate": self.expert_gate,
            "up": self.expert_up,
            "down": self.expert_down,
        }
        return self.model_copy(update=experts)
