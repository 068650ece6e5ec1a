"""Latents, scores and values of latent attention, from the published equations.

Keys and values of all heads and positions are made from the latents, as the equations
write them: what is split over chips may do these products in another order.

References
----------
.. [1] DeepSeek-AI, "DeepSeek-V3 Technical Report", arXiv:2412.19437, equations 1 to 11.
"""

from collections.abc import Sequence

import numpy as np

from specs.latent_attention import LatentAttention
from workloads.attributes import (
    AttentionAttributes,
    NormAttributes,
    PositionAttributes,
)
from workloads.operators import GraphOperator, TokenRows
from workloads.reference.activations import Array
from workloads.reference.attention import (
    appended,
    rotated,
    rotation_angles,
    rotation_factor,
)
from workloads.reference.positions import attended
from workloads.reference.residual_stream import Results


def latent_norm(
    operator: GraphOperator, operands: Sequence[Array], _: TokenRows
) -> Results:
    """Evaluate (reference): latents over their root mean square, times weights.

    The columns behind those of the weights are the key that is rotated later; they
    stay.
    """
    epsilon = operator.attributes_as(NormAttributes).epsilon
    half = len(operands) // 2
    results = []
    for rows, weights in zip(operands[:half], operands[half:], strict=True):
        own = rows[:, : weights.shape[1]]
        mean = np.mean(own * own, axis=1, keepdims=True)
        results.append(
            np.hstack(
                [own / np.sqrt(mean + epsilon) * weights, rows[:, own.shape[1] :]]
            )
        )
    return tuple(results)


def latent_position(
    operator: GraphOperator, operands: Sequence[Array], rows: TokenRows
) -> Results:
    """Evaluate (reference): queries, and the key behind the latent, rotated."""
    attributes = operator.attributes_as(PositionAttributes)
    latent, rotary = attributes.latent, attributes.rotary
    assert latent is not None
    assert rotary is not None
    angles, factor = rotation_angles(rotary, rows), rotation_factor(rotary)
    results = []
    for table, size, plain in (
        (operands[0], latent.head_dim, latent.plain_dim),
        (operands[1], latent.cached_size, latent.kv_rank),
    ):
        heads = table.reshape(len(table), -1, size)
        turned = factor * rotated(heads[:, :, plain:], angles, rotary.interleaved)
        both = np.concatenate([heads[:, :, :plain], turned], axis=2)
        results.append(both.reshape(table.shape))
    return tuple(results)


def latent_scores(
    operator: GraphOperator, operands: Sequence[Array], rows: TokenRows
) -> Results:
    """Evaluate (reference): masked scores of each head, and the cache of latents.

    Results are of shape (heads * rows, positions); masked ones are minus infinity.
    """
    attributes = operator.attributes_as(AttentionAttributes)
    queries, new, up, cache = operands
    latent, known = _latent(attributes), appended(new, [cache], rows)
    positions = known.shape[1]
    keys = expanded(latent, known, up)[..., : latent.plain_dim]
    shared = known[:, :, None, latent.kv_rank :]
    shared = np.broadcast_to(shared, (*keys.shape[:3], latent.rotary_dim))
    asked = queries.reshape(
        rows.batch, rows.query_tokens, attributes.heads, latent.head_dim
    )
    found = np.einsum("bihd,bphd->hbip", asked, np.concatenate([keys, shared], axis=3))
    found = found * attributes.scale
    found = np.where(attended(attributes, positions, rows), found, -np.inf)
    scored = found.astype(queries.dtype).reshape(-1, positions)
    return scored, known.reshape(cache.shape)


def latent_values(
    operator: GraphOperator, operands: Sequence[Array], rows: TokenRows
) -> Results:
    """Evaluate (reference): weighed values of heads, and the cache of latents."""
    attributes = operator.attributes_as(AttentionAttributes)
    weights, new, up, cache = operands
    latent, known = _latent(attributes), appended(new, [cache], rows)
    made = expanded(latent, known, up)[..., latent.plain_dim :]
    shape = (attributes.heads, rows.batch, rows.query_tokens, known.shape[1])
    context = np.einsum("hbip,bphd->bihd", weights.reshape(shape), made)
    return context.reshape(rows.count, -1), known.reshape(cache.shape)


def expanded(latent: LatentAttention, known: Array, up: Array) -> Array:
    """Evaluate (reference): keys and values of all positions, from their latents.

    Parameters
    ----------
    latent
        Sizes.
    known
        Latents, shape (batch, positions, cached_size).
    up
        Weights, of each head those of its key and then those of its value.

    Returns
    -------
    NDArray
        Shape (batch, positions, heads, plain_dim + value_dim).
    """
    made = known[:, :, : latent.kv_rank] @ up.T
    return made.reshape(*known.shape[:2], -1, latent.expanded_dim)


def _latent(attributes: AttentionAttributes) -> LatentAttention:
    assert attributes.latent is not None
    return attributes.latent
