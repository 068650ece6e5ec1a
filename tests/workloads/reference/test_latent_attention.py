"""Latent attention, head after head and position after position, in plain numbers."""

from collections.abc import Callable

import numpy as np
import pytest

from specs.latent_attention import LatentAttention
from specs.model import ModelSpec
from workloads.attributes import (
    AttentionAttributes,
    NormAttributes,
    PositionAttributes,
)
from workloads.decoding import decode
from workloads.model_graph import graph_of
from workloads.operators import Function, GraphOperator, TokenRows
from workloads.reference.activations import Array
from workloads.reference.evaluation import random_weights
from workloads.reference.latent_attention import (
    expanded,
    latent_norm,
    latent_position,
    latent_scores,
    latent_values,
)
from workloads.rotary import Rotary

SIZES = LatentAttention(kv_rank=3, rotary_dim=4, plain_dim=2, value_dim=5)
HEADS = 2
RANDOM = np.random.default_rng(3)
UP = RANDOM.standard_normal((HEADS * SIZES.expanded_dim, SIZES.kv_rank))
ROWS = TokenRows(batch=1, context=3, query_tokens=1, answer_tokens=1)
ATTRIBUTES = AttentionAttributes(
    heads=HEADS, kv_heads=HEADS, head_dim=6, scale=0.5, latent=SIZES
)


def operator(function: Function, attributes: object) -> GraphOperator:
    return GraphOperator(
        name="x",
        function=function,
        inputs=(),
        outputs=(),
        attributes=attributes,  # type: ignore[arg-type]
    )


def cached() -> tuple[Array, Array]:
    """Return the latents of three positions: the last one new, and all in the cache."""
    known = RANDOM.standard_normal((3, SIZES.cached_size))
    cache = known.copy()
    cache[-1] = np.nan
    return known, cache


def test_a_score_is_the_product_of_a_query_and_a_key_made_of_the_latent() -> None:
    known, cache = cached()
    queries = RANDOM.standard_normal((1, HEADS * SIZES.head_dim))
    scored, kept = latent_scores(
        operator(Function.SCORES, ATTRIBUTES), [queries, known[-1:], UP, cache], ROWS
    )
    assert np.array_equal(kept, known)
    for head in range(HEADS):
        plain, rotated = np.split(queries[0, 6 * head : 6 * head + 6], [2])
        weights = UP[7 * head : 7 * head + 2]
        for place, latent in enumerate(known):
            key = weights @ latent[:3]
            # The rotated key is the same for all heads.
            expected = 0.5 * (plain @ key + rotated @ latent[3:])
            assert scored[head, place] == pytest.approx(expected)


def test_values_are_mixed_of_what_is_made_of_the_latents() -> None:
    known, cache = cached()
    shares = RANDOM.random((HEADS, 3))
    context, _ = latent_values(
        operator(Function.VALUES, ATTRIBUTES), [shares, known[-1:], UP, cache], ROWS
    )
    for head in range(HEADS):
        weights = UP[7 * head + 2 : 7 * head + 7]
        expected = sum(
            share * (weights @ latent[:3])
            for share, latent in zip(shares[head], known, strict=True)
        )
        assert context[0, 5 * head : 5 * head + 5] == pytest.approx(expected)


def test_the_context_is_the_same_if_queries_and_values_are_multiplied_instead() -> None:
    known, _ = cached()
    made = expanded(SIZES, known[None], UP)[0]
    query = RANDOM.standard_normal(2)
    absorbed = query @ UP[:2]
    assert made[:, 0, :2] @ query == pytest.approx(known[:, :3] @ absorbed)


def test_a_norm_leaves_the_key_behind_the_latent() -> None:
    norm = operator(Function.LATENT_NORM, NormAttributes(epsilon=0.0))
    query, latent = np.array([[3.0, 4.0]]), np.array([[1.0, 1.0, 7.0, 8.0]])
    found = latent_norm(
        norm, [query, latent, np.array([[1.0, 2.0]]), np.array([[1.0, 3.0]])], ROWS
    )
    root = np.sqrt(12.5)
    assert found[0] == pytest.approx(np.array([[3 / root, 8 / root]]))
    assert found[1] == pytest.approx(np.array([[1.0, 3.0, 7.0, 8.0]]))


def test_neighbours_behind_the_plain_elements_are_rotated_together() -> None:
    attributes = PositionAttributes(
        head_dim=6, rotary=Rotary(theta=10.0, dims=4, interleaved=True), latent=SIZES
    )
    query = np.arange(12.0).reshape(1, 12)
    latent = np.arange(7.0).reshape(1, 7)
    turned, cached_row = latent_position(
        operator(Function.POSITION, attributes), [query, latent], ROWS
    )
    angles = 2 * np.array([1.0, 10.0**-0.5])
    for row, begins in ((turned[0], (2, 8)), (cached_row[0], (3,))):
        for begin in begins:
            for pair, angle in enumerate(angles):
                at = begin + 2 * pair
                whole = complex(at, at + 1) * np.exp(1j * angle)
                assert complex(*row[at : at + 2]) == pytest.approx(whole)
    assert turned[0, [0, 1, 6, 7]].tolist() == [0, 1, 6, 7]
    assert cached_row[0, :3].tolist() == [0, 1, 2]


@pytest.mark.parametrize("query_rank", [11, None])
def test_a_prompt_in_chunks_gives_the_same_tokens(
    query_rank: int | None, latent_model: Callable[..., ModelSpec]
) -> None:
    model = latent_model(query_rank=query_rank)
    weights = random_weights(graph_of(model, context=1, batch=1), 1)
    assert sum(each.size for each in weights.values()) == model.parameters
    prompt = np.random.default_rng(0).integers(0, 256, (2, 4))
    whole = decode(model, weights, prompt, 2)
    chunks = decode(model, weights, prompt, 2, prefill_chunk=3)
    assert np.array_equal(whole.tokens, chunks.tokens)
    assert whole.logits == pytest.approx(chunks.logits)
