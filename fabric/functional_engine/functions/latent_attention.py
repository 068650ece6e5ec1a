"""Latent attention: norms and positions of latents, and both forms of its products.

Each function takes a call and returns the array of each result. In the absorbed form
heads attend to the latents; in the expanded form to keys and values made of them.
"""

import numpy as np

from fabric.functional_engine.call import Call, Operand
from fabric.functional_engine.functions.attention import masked, turned
from fabric.functional_engine.memory import Array
from specs.latent_attention import LatentAttention


def latent_normed(call: Call) -> list[Array]:
    """Execute: latents over their root mean square, times weights; the rest stays."""
    results = []
    for rows, weights in zip(call.reads, call.weights, strict=True):
        own, rest = np.split(rows.array, [len(weights.array)], axis=1)
        mean = np.mean(own * own, axis=1, keepdims=True, dtype=own.dtype)
        factor = 1 / np.sqrt(mean + own.dtype.type(call.settings.epsilon))
        results.append(np.hstack([own * factor * weights.array, rest]))
    return results


def latent_positioned(call: Call) -> list[Array]:
    """Execute: queries, and the key behind each latent, rotated by their positions."""
    sizes = _sizes(call)
    query, latent = (each.array for each in call.reads)
    heads = query.reshape(len(query), -1, sizes.head_dim).copy()
    heads[..., sizes.plain_dim :] = turned(call, heads[..., sizes.plain_dim :])
    rows = latent.copy()
    key = rows[:, None, sizes.kv_rank :]
    rows[:, sizes.kv_rank :] = turned(call, key)[:, 0]
    return [heads.reshape(query.shape), rows]


def absorbed(call: Call) -> list[Array]:
    """Execute: plain parts of queries times weights of keys, beside rotated parts."""
    sizes = _sizes(call)
    (query,) = call.reads
    heads = query.array.reshape(len(query.array), -1, sizes.head_dim)
    keys = _up_weights(call)[:, : sizes.plain_dim]
    plain, rotated = np.split(heads, [sizes.plain_dim], axis=2)
    found = np.concatenate([np.einsum("thd,hdr->thr", plain, keys), rotated], axis=2)
    return [found.reshape(len(query.array), -1)]


def expanded(call: Call) -> list[Array]:
    """Execute: keys and values of all positions, rows ordered by sequence."""
    known = _known(call, call.reads[0])[..., : _sizes(call).kv_rank]
    (weights,) = call.weights
    made = known @ weights.array.T
    return [made.reshape(-1, made.shape[-1])]


def latent_scores(call: Call) -> list[Array]:
    """Execute: scores of latents, or of keys beside the rotated one of all heads.

    The array is as that of `fabric.functional_engine.functions.attention.scores`.
    """
    sizes = _sizes(call)
    query, *keys, latent = call.reads
    known = _known(call, latent)
    if keys:
        made = _by_head(call, keys[0])[..., : sizes.plain_dim]
        shared = known[:, :, None, sizes.kv_rank :]
        shape = (*made.shape[:3], sizes.rotary_dim)
        made = np.concatenate([made, np.broadcast_to(shared, shape)], axis=3)
    else:
        made = known[:, :, None]
    asked = call.sequences(query.array)
    asked = asked.reshape(*asked.shape[:2], -1, made.shape[-1])
    heads = np.broadcast_to(made, (*made.shape[:2], *asked.shape[2:]))
    found = np.einsum("bqhd,bphd->bqph", asked, heads)
    return [masked(call, found, np.arange(known.shape[1]))]


def latent_attended(call: Call) -> list[Array]:
    """Execute: latents that each head mixes, or values that were made of them."""
    sizes = _sizes(call)
    weights, source = call.reads
    shares = weights.array[:, :, :-2]
    if source.name.endswith(".expanded"):
        values = _by_head(call, source)[..., sizes.plain_dim :]
        mixed = np.einsum("bqph,bphd->bqhd", shares, values)
    else:
        known = _known(call, source)[..., : sizes.kv_rank]
        mixed = np.einsum("bqph,bpr->bqhr", shares, known)
    return [mixed.reshape(mixed.shape[0] * mixed.shape[1], -1)]


def expanded_values(call: Call) -> list[Array]:
    """Execute: latents that heads have mixed, times the weights of their values."""
    sizes = _sizes(call)
    (mixed,) = call.reads
    heads = mixed.array.reshape(len(mixed.array), -1, sizes.kv_rank)
    weights = _up_weights(call)[:, sizes.plain_dim :]
    return [np.einsum("thr,hdr->thd", heads, weights).reshape(len(heads), -1)]


def _sizes(call: Call) -> LatentAttention:
    assert call.settings.latent is not None
    return call.settings.latent


def _up_weights(call: Call) -> Array:
    """Return weights from latents, shape (heads, plain_dim + value_dim, kv_rank)."""
    (weights,) = call.weights
    return weights.array.reshape(-1, _sizes(call).expanded_dim, weights.parts)


def _by_head(call: Call, made: Operand) -> Array:
    """Return keys and values, shape (batch, positions, heads, columns)."""
    rows = call.sequences(made.array)
    return rows.reshape(*rows.shape[:2], -1, _sizes(call).expanded_dim)


def _known(call: Call, new: Operand) -> Array:
    """Return the latents of all positions, shape (batch, positions, columns)."""
    assert call.cache is not None
    return call.caches.latents(
        call.chip,
        call.cache,
        call.sequences(new.array),
        first_position=call.first_position,
    ).array
