"""Decode work of a model on any machine: operations, and bytes to read and hold."""

from typing import NamedTuple

from specs.formats import Format, WeightFormat
from specs.model import ModelSpec
from specs.model_formats import ModelFormats

_FLOP_PER_MAC = 2


class DecodeWork(NamedTuple):
    """Work of a decode step, in which each sequence of a batch gains a token.

    Attributes
    ----------
    flop
        Operations; a multiply-accumulate is two.
    read_bytes
        Weights once, and the KV cache and states of each sequence.
    held_bytes
        All weights, also of experts that the step does not use, and what is kept of
        sequences.
    """

    flop: float
    read_bytes: float
    held_bytes: float


def decode_work(
    model: ModelSpec,
    *,
    context: int,
    batch: int,
    weights: Format | ModelFormats = Format.FP16,
    kv_cache: Format = Format.FP16,
) -> DecodeWork:
    """Return a model spec's work of a decode step: operations, bytes to read and hold.

    The step is of `batch` sequences at `context` positions. Only matrix products
    count: norms, biases and look-ups are below 0.1 % of them. Scales of weights are
    read with them.
    """
    stored = (
        weights
        if isinstance(weights, ModelFormats)
        else ModelFormats.uniform(WeightFormat(weights))
    )
    experts = min(model.experts, model.experts_per_token * batch)
    head = model.head_rows * model.hidden_size
    layers = range(model.layers)
    attended = sum(model.attended_tokens(layer, context) for layer in layers)

    def active_parameters(experts_used: int) -> int:
        feed_forwards = sum(
            model.used_feed_forward_parameters_in(layer, experts_used)
            for layer in layers
        )
        return model.all_attention_parameters + feed_forwards + head

    def weight_bytes(experts_used: int) -> float:
        bits = model.all_attention_parameters * stored.attention.bits
        bits += head * stored.head.bits
        return (
            bits + sum(_used_bits(model, stored, n, experts_used) for n in layers)
        ) / 8

    # What is in no product: tables and vectors.
    rest = model.parameters - active_parameters(model.experts)

    # Scores and values multiply each query head with every position; heads that share
    # latents multiply those.
    mixed = 2 * model.query_size
    if model.latent is not None:
        latent = model.latent
        mixed = model.attention_heads * (latent.cached_size + latent.kv_rank)
    macs = active_parameters(model.experts_per_token) + mixed * attended
    if model.linear is not None:
        # Each element is recalled by the key, corrected, and read by the query.
        linear = model.layers - model.attending_layers
        macs += 3 * linear * model.linear.state_elements
    cache_bytes = model.cached_size * attended * kv_cache.bits / 8 * batch
    cache_bytes += model.state_bytes(Format.FP16) * batch
    return DecodeWork(
        flop=_FLOP_PER_MAC * macs * batch,
        read_bytes=weight_bytes(experts) + cache_bytes,
        held_bytes=weight_bytes(model.experts)
        + rest * stored.embedding.bits / 8
        + cache_bytes,
    )


def _used_bits(
    model: ModelSpec, stored: ModelFormats, layer: int, experts: int
) -> float:
    """Return the bits of the feed-forward of a layer if so many experts are used."""
    whole = model.used_feed_forward_parameters_in(layer, experts)
    if not model.has_experts(layer):
        return whole * stored.feed_forward.bits
    one = (model.projections_in + 1) * model.hidden_size
    used = one * model.inner_size(layer) * min(experts, model.experts)
    shared = one * model.shared_size(layer)
    router = whole - used - shared
    bits = used * stored.experts.bits + shared * stored.shared_experts.bits
    return bits + router * stored.others.bits
