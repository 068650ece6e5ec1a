"""Decode work of a model on any machine: operations, and bytes to read and hold.

Of a whole step, and of the parts that devices beside a machine may have: attention of
a layer, and the head.
"""

from typing import NamedTuple

from specs.formats import Format
from specs.model import ModelSpec
from specs.model_formats import ModelFormats, WeightGroup
from specs.weight_formats import WeightFormat

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
    positions: int = 1,
    answers: int = 1,
) -> DecodeWork:
    """Return a model spec's work of a decode step: operations, bytes to read and hold.

    The step is of `batch` sequences at `context` positions. Only matrix products
    count: norms, biases and look-ups are below 0.1 % of them. Scales of weights are
    read with them. If it computes several `positions` of a sequence, the last ones of
    the context, each attends to itself and those before it, and the last `answers` of
    them have logits.
    """
    stored = _stored(weights)
    experts = min(model.experts, model.experts_per_token * batch * positions)
    head = model.head_rows * model.hidden_size
    layers = range(model.layers)
    attended = sum(model.attended_tokens(layer, context) for layer in layers)
    # Over all positions; of one position it is `attended`.
    scored = sum(_scored(model, layer, context, positions) for layer in layers)

    def active_parameters(experts_used: int) -> int:
        feed_forwards = sum(
            model.used_feed_forward_parameters_in(layer, experts_used)
            for layer in layers
        )
        return model.all_attention_parameters + feed_forwards + head

    def weight_bytes(experts_used: int) -> float:
        bits = head * stored.head.bits
        for layer in layers:
            attention = stored.of(WeightGroup.ATTENTION, layer)
            bits += model.attention_parameters_in(layer) * attention.bits
            bits += _used_bits(model, stored, layer, experts_used)
        return bits / 8

    # What is in no product: tables and vectors.
    rest = model.parameters - active_parameters(model.experts)

    used = active_parameters(model.experts_per_token)
    macs = (used - head) * positions + head * answers + _mixed(model) * scored
    if model.linear is not None:
        # Each element is recalled by the key, corrected, and read by the query.
        linear = model.layers - model.attending_layers
        macs += 3 * linear * model.linear.state_elements * positions
    cache_bytes = model.cached_size * attended * kv_cache.bits / 8 * batch
    cache_bytes += model.state_bytes(Format.FP16) * batch
    return DecodeWork(
        flop=_FLOP_PER_MAC * macs * batch,
        read_bytes=weight_bytes(experts) + cache_bytes,
        held_bytes=weight_bytes(model.experts)
        + rest * stored.embedding.bits / 8
        + cache_bytes,
    )


def attention_work(
    model: ModelSpec,
    layer: int,
    *,
    context: int,
    batch: int,
    weights: Format | ModelFormats = Format.FP16,
    kv_cache: Format = Format.FP16,
) -> DecodeWork:
    """Return a model spec's work of the attention of a layer in a decode step.

    Parameters are those of `decode_work`.
    """
    attended = model.attended_tokens(layer, context)
    stored = _stored(weights).of(WeightGroup.ATTENTION, layer)
    held = model.attention_parameters * stored.bits / 8
    held += model.cached_size * attended * kv_cache.bits / 8 * batch
    macs = model.attention_parameters + _mixed(model) * attended
    return DecodeWork(_FLOP_PER_MAC * macs * batch, held, held)


def head_work(
    model: ModelSpec, *, batch: int, weights: Format | ModelFormats = Format.FP16
) -> DecodeWork:
    """Return a model spec's work of the head in a decode step."""
    head = model.head_rows * model.hidden_size
    held = head * _stored(weights).head.bits / 8
    return DecodeWork(_FLOP_PER_MAC * head * batch, held, held)


def _stored(weights: Format | ModelFormats) -> ModelFormats:
    """Return the formats of a model spec's groups of weights."""
    if isinstance(weights, ModelFormats):
        return weights
    return ModelFormats.uniform(WeightFormat(weights))


def _mixed(model: ModelSpec) -> int:
    """Return a model spec's multiplications for each pair of a query and a position.

    Scores and values multiply each query head with every position; heads that share
    latents multiply those.
    """
    if model.latent is None:
        return 2 * model.query_size
    latent = model.latent
    return model.attention_heads * (latent.cached_size + latent.kv_rank)


def _scored(model: ModelSpec, layer: int, context: int, positions: int) -> int:
    """Return a model spec's positions to which the last queries of a layer attend."""
    window = model.attended_tokens(layer, context)
    first = context - positions + 1
    # Queries before the window is full attend to all positions so far.
    growing = range(first, min(context, window) + 1)
    return sum(growing) + window * (positions - len(growing))


def _used_bits(
    model: ModelSpec, stored: ModelFormats, layer: int, experts: int
) -> float:
    """Return the bits of the feed-forward of a layer if so many experts are used."""
    whole = model.used_feed_forward_parameters_in(layer, experts)
    if not model.has_experts(layer):
        return whole * stored.of(WeightGroup.FEED_FORWARD, layer).bits
    one = (model.projections_in + 1) * model.hidden_size
    used = one * model.inner_size(layer) * min(experts, model.experts)
    shared = one * model.shared_size(layer)
    router = whole - used - shared
    bits = used * stored.of(WeightGroup.EXPERTS, layer).bits
    bits += shared * stored.of(WeightGroup.SHARED_EXPERTS, layer).bits
    return bits + router * stored.others.bits
