"""Head norms, rotation, scores and values: functions of attention.

Each function takes the operator, its operands in order and the rows of the iteration,
and returns the results in order, then the states as they are after the iteration.
"""

from collections.abc import Sequence
from math import ceil, floor, log, pi

import numpy as np

from specs.errors import SpecError
from specs.numerical_settings import RopeScaling
from workloads.attributes import (
    AttentionAttributes,
    HeadNormAttributes,
    PositionAttributes,
)
from workloads.operators import GraphOperator, TokenRows
from workloads.reference.activations import Array
from workloads.reference.positions import attended, fallen_scores
from workloads.reference.residual_stream import Results
from workloads.rotary import Rotary

# Kinds of scaled rotary frequencies that can be computed.
SCALINGS = ("linear", "llama3", "yarn")


def head_norm(
    operator: GraphOperator, operands: Sequence[Array], _: TokenRows
) -> Results:
    """Evaluate (reference): weighed queries and keys, squares of heads."""
    norm = operator.attributes_as(HeadNormAttributes)
    query, key, *rest = operands
    one = np.ones(norm.head_dim, dtype=query.dtype)
    query_weights, key_weights = rest[:2] if norm.weighted else (one, one)
    biases = rest[2:] if norm.weighted else rest
    if norm.biased:
        query, key = query + biases[0], key + biases[1]
    weighed, squares = [], []
    for rows, weights in ((query, query_weights), (key, key_weights)):
        heads = _heads(rows, norm.head_dim)
        factors = 1 + weights if norm.unit_offset else weights
        weighed.append(
            rows * factors if norm.whole else (heads * factors).reshape(rows.shape)
        )
        squares.append(np.sum(heads * heads, axis=2))
    return weighed[0], weighed[1], np.hstack(squares)


def head_scale(
    operator: GraphOperator, operands: Sequence[Array], _: TokenRows
) -> Results:
    """Evaluate (reference): queries and keys over the RMS of each head."""
    norm = operator.attributes_as(HeadNormAttributes)
    query, key, squares = operands
    split = query.shape[1] // norm.head_dim
    means = squares / norm.head_dim
    if norm.whole:
        for part in (means[:, :split], means[:, split:]):
            part[:] = part.mean(axis=1, keepdims=True)
    factors = 1 / np.sqrt(means + norm.epsilon)
    return tuple(
        (_heads(rows, norm.head_dim) * own[:, :, None]).reshape(rows.shape)
        for rows, own in ((query, factors[:, :split]), (key, factors[:, split:]))
    )


def position(
    operator: GraphOperator, operands: Sequence[Array], rows: TokenRows
) -> Results:
    """Evaluate (reference): biased queries, keys and values, two rotated."""
    attributes = operator.attributes_as(PositionAttributes)
    results = list(operands[:3])
    biases = iter(operands[3:])
    for index, biased in enumerate(attributes.biased):
        if biased:
            results[index] = results[index] + next(biases)
    if attributes.rotary is not None:
        angles = rotation_angles(attributes.rotary, rows)
        factor = rotation_factor(attributes.rotary)
        for index in (0, 1):
            heads = _heads(results[index], attributes.head_dim)
            turned = rotated(
                heads, angles.astype(heads.dtype), attributes.rotary.interleaved
            )
            results[index] = (factor * turned).reshape(results[index].shape)
    if attributes.query_growth:
        # A. Nakanishi, "Scalable-Softmax Is Superior for Attention", arXiv:2501.19399,
        # as Llama4TextAttention of Hugging Face transformers has it.
        number = np.arange(rows.first_position, rows.context) + 1
        grown = np.log1p(number // attributes.growth_positions)
        factors = np.tile(1 + attributes.query_growth * grown, rows.batch)[:, None]
        results[0] = results[0] * factors.astype(results[0].dtype)
    return tuple(results)


def rotation_angles(rotary: Rotary, rows: TokenRows) -> Array:
    """Evaluate (reference): angles of pairs, radians, (rows, dims / 2).

    Frequencies follow [1]_; scaled ones those of Hugging Face transformers, which take
    ``yarn`` from [2]_.

    References
    ----------
    .. [1] J. Su et al., "RoFormer: Enhanced Transformer with Rotary Position
       Embedding", arXiv:2104.09864.
    .. [2] B. Peng et al., "YaRN: Efficient Context Window Extension of Large Language
       Models", arXiv:2309.00071, section 3.
    """
    frequencies = rotary.theta ** -(np.arange(0, rotary.dims, 2) / rotary.dims)
    scaling = rotary.scaling
    if rotary.dims % 2:
        raise SpecError(
            f"a rotation pairs elements, but {rotary.dims} of a head are rotated"
        )
    if scaling and scaling.kind not in SCALINGS:
        raise SpecError(
            f"rope_scaling {scaling.kind!r} is not modelled (modelled: "
            f"{', '.join(SCALINGS)}); its values would be wrong"
        )
    if scaling is not None:
        slow = frequencies / scaling.factor
        # llama3 and yarn keep what turned often in the trained context, and scale the
        # rest.
        kept = np.zeros_like(frequencies)
        turns = scaling.trained_positions * frequencies / (2 * pi)
        if scaling.kind == "llama3":
            low, high = scaling.low_frequency_factor, scaling.high_frequency_factor
            # Without room between the two there is nothing to interpolate.
            kept = (
                np.where(turns > high, 1.0, 0.0)
                if low == high
                else np.clip((turns - low) / (high - low), 0, 1)
            )
        elif scaling.kind == "yarn":
            kept = 1 - _yarn_ramp(rotary, scaling)
        frequencies = kept * frequencies + (1 - kept) * slow
    positions = np.arange(rows.first_position, rows.context)
    return np.tile(np.outer(positions, frequencies), (rows.batch, 1))


def _yarn_ramp(rotary: Rotary, scaling: RopeScaling) -> Array:
    """Return how far each pair is between one that is kept and one that is scaled."""

    def pair(turns: float) -> float:
        """Return the pair that turns so often within the trained context."""
        ratio = scaling.trained_positions / (2 * pi * turns)
        return rotary.dims * log(ratio) / (2 * log(rotary.theta))

    first, last = pair(scaling.fast_turns), pair(scaling.slow_turns)
    if scaling.whole_pairs:
        first, last = floor(first), ceil(last)
    first, last = max(first, 0), min(last, rotary.dims - 1)
    width = last - first or 0.001
    ramp: Array = np.clip((np.arange(rotary.dims // 2) - first) / width, 0, 1)
    return ramp


def rotation_factor(rotary: Rotary) -> float:
    """Evaluate (reference): factor of what is rotated, 1 unless ``yarn`` scales it."""
    scaling = rotary.scaling
    if scaling is None or scaling.kind != "yarn":
        return 1.0

    def growth(weight: float) -> float:
        return 0.1 * weight * log(scaling.factor) + 1 if scaling.factor > 1 else 1.0

    if scaling.rotated_factor is not None:
        return scaling.rotated_factor
    if scaling.magnitude and scaling.magnitude_of_all:
        return growth(scaling.magnitude) / growth(scaling.magnitude_of_all)
    return growth(1.0)


def scores(
    operator: GraphOperator, operands: Sequence[Array], rows: TokenRows
) -> Results:
    """Evaluate (reference): masked scores of each head, and the key cache.

    Results are of shape (heads * rows, positions); masked ones are minus infinity.
    """
    attributes = operator.attributes_as(AttentionAttributes)
    queries, keys, *cache = operands
    known = appended(keys, cache, rows)
    positions = known.shape[1]
    shared = attributes.heads // attributes.kv_heads
    asked = queries.reshape(
        rows.batch, rows.query_tokens, attributes.kv_heads, shared, attributes.head_dim
    )
    by_head = known.reshape(
        rows.batch, positions, attributes.kv_heads, attributes.head_dim
    )
    found = np.einsum("bikgd,bpkd->kgbip", asked, by_head) * attributes.scale
    if attributes.soft_cap is not None:
        found = attributes.soft_cap * np.tanh(found / attributes.soft_cap)
    if attributes.alibi:
        found = found - fallen_scores(attributes, positions, rows)
    found = np.where(attended(attributes, positions, rows), found, -np.inf)
    scored = found.astype(queries.dtype).reshape(-1, positions)
    return (scored, *(known.reshape(each.shape) for each in cache))


def softmax(_: GraphOperator, operands: Sequence[Array], __: TokenRows) -> Results:
    """Evaluate (reference): exponentials of the scores over their sum.

    A sink of a head is a score of no position [1]_: it adds to the sum alone.

    References
    ----------
    .. [1] G. Xiao et al., "Efficient Streaming Language Models with Attention Sinks",
       arXiv:2309.17453; learned, as in OpenAI, "gpt-oss-120b & gpt-oss-20b Model Card".
    """
    found, *sinks = operands
    if sinks:
        own = np.repeat(sinks[0].reshape(-1), len(found) // sinks[0].size)
        found = np.hstack([found, own[:, None]])
    raised = np.exp(found - found.max(axis=1, keepdims=True))
    shares = raised / raised.sum(axis=1, keepdims=True)
    return (shares[:, :-1] if sinks else shares,)


def values(
    operator: GraphOperator, operands: Sequence[Array], rows: TokenRows
) -> Results:
    """Evaluate (reference): weighed values of heads, and the value cache."""
    attributes = operator.attributes_as(AttentionAttributes)
    weights, new, *cache = operands
    known = appended(new, cache, rows)
    positions, kv_heads = known.shape[1], attributes.kv_heads
    by_head = weights.reshape(kv_heads, -1, rows.batch, rows.query_tokens, positions)
    kept = known.reshape(rows.batch, positions, kv_heads, attributes.head_dim)
    context = np.einsum("kgbip,bpkd->bikgd", by_head, kept).reshape(rows.count, -1)
    return (context, *(known.reshape(each.shape) for each in cache))


def appended(new: Array, cache: Sequence[Array], rows: TokenRows) -> Array:
    """Evaluate (reference): the cache with its last rows replaced.

    Returns
    -------
    NDArray
        Shape (batch, positions, columns).
    """
    fresh = new.reshape(rows.batch, rows.query_tokens, -1)
    if not cache:
        return fresh
    kept = cache[0].reshape(rows.batch, -1, new.shape[1])[:, : -rows.query_tokens]
    return np.concatenate([kept, fresh], axis=1)


def _heads(rows: Array, head_dim: int) -> Array:
    """Return rows as heads, shape (rows, heads, head_dim)."""
    return rows.reshape(rows.shape[0], -1, head_dim)


def rotated(heads: Array, angles: Array, interleaved: bool) -> Array:
    """Evaluate (reference): heads with their leading pairs rotated; the rest stays.

    Parameters
    ----------
    heads
        Shape (rows, heads, head_dim).
    angles
        Radians, shape (rows, pairs).
    interleaved
        Whether pairs are neighbours, and not half of the rotated elements apart.
    """
    half = angles.shape[1]
    cosine, sine = np.cos(angles)[:, None, :], np.sin(angles)[:, None, :]
    pairs = (slice(0, half), slice(half, 2 * half))
    if interleaved:
        pairs = (slice(0, 2 * half, 2), slice(1, 2 * half, 2))
    left, right = (heads[:, :, each] for each in pairs)
    turned = heads.copy()
    turned[:, :, pairs[0]] = left * cosine - right * sine
    turned[:, :, pairs[1]] = right * cosine + left * sine
    return turned
