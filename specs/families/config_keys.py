"""Keys of a family's ``config.json``: what each value is called there."""

from typing import Annotated, Any, final

from pydantic import BeforeValidator

from specs.validation import Spec


def _listed(value: Any) -> Any:
    """Return one key as a list of keys, and an empty one as none."""
    if isinstance(value, str):
        return (value,) if value else ()
    return value


# Keys of a config that may hold one value; the first one that is there does.
_Keys = Annotated[tuple[str, ...], BeforeValidator(_listed)]


@final
class ConfigKeys(Spec):
    """Keys of a family's ``config.json``; a value without a key is not read.

    In a file a key is a string, and several keys for the same value are a list of which
    the first that is there counts. An empty string takes a key away.

    Parameters
    ----------
    hidden_size, intermediate_size, layers, attention_heads, kv_heads, head_dim
        Sizes of a layer.
    vocabulary_size, max_context_tokens, token_types
        Rows of tables.
    tied_embeddings
        Whether the head is the embedding.
    experts, experts_per_token
        Feed-forwards per layer, and those that a token uses.
    expert_intermediate_size, shared_intermediate_size
        Sizes of an expert, and of what all tokens use beside theirs.
    expert_period, dense_layers, expert_layers
        Number of layers of which the last has experts, those that have none, and those
        that have them.
    plain_head_norms
        Whether rotated queries and keys are normalised by heads, without weights.
    query_growth, growth_positions, query_growth_used
        Growth of queries with their position in layers that are not rotated.
    prediction_layers
        Number of layers behind the last that predict further tokens; they are left out.
    shared_experts, first_dense_layers
        Number of experts that all tokens use, each of the size of the others, and of
        first layers without experts.
    router_method, router_scores
        How a router chooses, and what makes scores of its logits.
    latent_query_rank, latent_kv_rank, latent_rotary_dim, latent_plain_dim,
    latent_value_dim
        Sizes of latent attention; a family that has the second has it.
    linear_key_heads, linear_value_heads, linear_key_dim, linear_value_dim,
    linear_kernel
        Sizes of linear attention; a family that has the first may have layers of it.
    full_attention_period
        Number of layers of which the last has full attention and the others linear, if
        `layer_types` does not list them.
    router_normalised, router_scale, router_groups, router_groups_chosen
        Fields of `specs.router.RouterSpec`.
    router_jitter
        Half of its tolerance.
    head_biases
        Whether a bias is added to the logits.
    attention_biases, qkv_biases, output_biases, feed_forward_biases
        Whether projections have a bias: all of attention, those of query, key and value
        alone, that out of attention alone, and those of the feed-forward.
    window_tokens, window_used, first_windowed_layer, layer_types
        Width of the sliding window, whether there is one, and the layers that have it.
    window_period
        Number of layers of which the last has no window and the others have one.
    rotated_layers, unrotated_period
        A list that has a 0 for each layer without rotation, and the number of layers of
        which the last has none if there is no list.
    gate_alpha, gate_limit
        Form of a gate that is clipped.
    parallel_blocks
        Whether attention and feed-forward of a layer take the same input.
    parallel_norms
        Number of norms of that input, in a decoder of the newer kind.
    single_kv_head
        Whether all query heads share one key and value head.
    newer_decoder
        Whether blocks are parallel, and `kv_heads` holds, whatever other keys say.
    alibi
        Whether scores fall with the distance of a position.
    rotary_dims
        Elements of a head that are rotated, instead of `rotary_fraction`.
    logits_factor
        Factor of the logits, instead of a divisor.
    norm_epsilon, activation, rope_theta, local_rope_theta, rotary_fraction,
    query_scalar, attention_scale, embedding_scale, residual_scale, logits_divisor,
    attention_soft_cap, final_soft_cap
        Numerical settings; see `specs.numerical_settings`.
    """

    hidden_size: _Keys = ("hidden_size",)
    intermediate_size: _Keys = ("intermediate_size",)
    layers: _Keys = ("num_hidden_layers",)
    attention_heads: _Keys = ("num_attention_heads",)
    kv_heads: _Keys = ("num_key_value_heads",)
    head_dim: _Keys = ("head_dim",)
    vocabulary_size: _Keys = ("vocab_size",)
    max_context_tokens: _Keys = ("max_position_embeddings",)
    token_types: _Keys = ()
    tied_embeddings: _Keys = ("tie_word_embeddings",)
    experts: _Keys = ("num_local_experts",)
    experts_per_token: _Keys = ("num_experts_per_tok",)
    expert_intermediate_size: _Keys = ()
    shared_intermediate_size: _Keys = ()
    expert_period: _Keys = ()
    dense_layers: _Keys = ()
    prediction_layers: _Keys = ()
    shared_experts: _Keys = ()
    first_dense_layers: _Keys = ()
    latent_query_rank: _Keys = ()
    latent_kv_rank: _Keys = ()
    latent_rotary_dim: _Keys = ()
    latent_plain_dim: _Keys = ()
    latent_value_dim: _Keys = ()
    linear_key_heads: _Keys = ()
    linear_value_heads: _Keys = ()
    linear_key_dim: _Keys = ()
    linear_value_dim: _Keys = ()
    linear_kernel: _Keys = ()
    full_attention_period: _Keys = ()
    router_method: _Keys = ()
    router_scores: _Keys = ()
    expert_layers: _Keys = ()
    plain_head_norms: _Keys = ()
    query_growth: _Keys = ()
    growth_positions: _Keys = ()
    query_growth_used: _Keys = ()
    router_normalised: _Keys = ()
    router_scale: _Keys = ()
    router_groups: _Keys = ()
    router_groups_chosen: _Keys = ()
    router_jitter: _Keys = ()
    head_biases: _Keys = ()
    attention_biases: _Keys = ()
    qkv_biases: _Keys = ()
    output_biases: _Keys = ()
    feed_forward_biases: _Keys = ()
    window_tokens: _Keys = ()
    window_used: _Keys = ("use_sliding_window",)
    first_windowed_layer: _Keys = ()
    layer_types: _Keys = ("layer_types",)
    window_period: _Keys = ()
    rotated_layers: _Keys = ()
    unrotated_period: _Keys = ()
    parallel_blocks: _Keys = ()
    parallel_norms: _Keys = ()
    single_kv_head: _Keys = ()
    newer_decoder: _Keys = ()
    alibi: _Keys = ()
    rotary_dims: _Keys = ()
    logits_factor: _Keys = ()
    norm_epsilon: _Keys = ("rms_norm_eps",)
    activation: _Keys = ("hidden_act",)
    rope_theta: _Keys = ("rope_theta",)
    local_rope_theta: _Keys = ()
    rotary_fraction: _Keys = ("partial_rotary_factor",)
    query_scalar: _Keys = ()
    attention_scale: _Keys = ()
    embedding_scale: _Keys = ()
    residual_scale: _Keys = ()
    logits_divisor: _Keys = ()
    gate_alpha: _Keys = ()
    gate_limit: _Keys = ()
    attention_soft_cap: _Keys = ()
    final_soft_cap: _Keys = ()
