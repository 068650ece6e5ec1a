"""Both forms of latent attention, with one rotated pair behind two plain elements."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fabric.functional_engine.call import Call
from fabric.functional_engine.functions.attention import masked, turned
from fabric.functional_engine.functions.latent_attention import (
    absorbed,
    expanded,
    expanded_values,
    latent_attended,
    latent_normed,
    latent_positioned,
    latent_scores,
)
from fabric.functional_engine.memory import Array
from specs.latent_attention import LatentAttention

MakeCall = Callable[..., Call]
SIZES = LatentAttention(kv_rank=3, rotary_dim=2, plain_dim=2, value_dim=4)
RANDOM = np.random.default_rng(7)
# Weights of one head: two rows of its key, four of its value.
UP = RANDOM.standard_normal((6, 3))
LATENTS = RANDOM.standard_normal((3, 5))
QUERY = RANDOM.standard_normal((3, 4))
WEIGHTS = ("key_value_up.weight", UP)
LATENT = ("latent", LATENTS)


@pytest.fixture
def made(call: MakeCall) -> Callable[..., Array]:
    """Return what a function makes of three positions that are all new."""

    def make(function: Any, *reads: Any, weights: Any = (), **settings: Any) -> Array:
        one = call(*reads, weights=weights, latent=SIZES, positions=(3, 3), **settings)
        # A weight spans its columns.
        own = tuple(w._replace(part_last=w.array.shape[-1]) for w in one.weights)
        caching = replace(one, weights=own, cache="latent_cache")
        return np.asarray(function(caching)[0])

    return make


def test_both_forms_give_the_same_scores(made: Callable[..., Array]) -> None:
    mixed = made(absorbed, ("queries", QUERY), weights=[WEIGHTS])
    keys = made(expanded, LATENT, weights=[WEIGHTS])
    assert keys == pytest.approx(LATENTS[:, :3] @ UP.T)
    short = made(latent_scores, ("layers.0.absorbed", mixed), LATENT)
    long = made(latent_scores, ("queries", QUERY), ("expanded", keys), LATENT)
    assert short == pytest.approx(long)
    assert np.isneginf(short[0, 0, 1:, 0]).all()
    # The last position: its query's plain part with a key, the rest with the latent's.
    expected = QUERY[2, :2] @ UP[:2] @ LATENTS[0, :3] + QUERY[2, 2:] @ LATENTS[0, 3:]
    assert short[0, 2, 0, 0] == pytest.approx(expected)


def test_both_forms_give_the_same_values(made: Callable[..., Array]) -> None:
    shares = np.zeros((1, 3, 5, 1))
    shares[0, :, :3, 0] = RANDOM.random((3, 3))
    weights = ("weights", shares)
    mixed = made(latent_attended, weights, LATENT)
    assert mixed == pytest.approx(shares[0, :, :3, 0] @ LATENTS[:, :3])
    short = made(expanded_values, ("latent_context", mixed), weights=[WEIGHTS])
    keys = made(expanded, LATENT, weights=[WEIGHTS])
    long = made(latent_attended, weights, ("layers.0.expanded", keys))
    assert short == pytest.approx(long)


def test_a_norm_takes_as_many_columns_as_it_has_weights(
    made: Callable[..., Array],
) -> None:
    scale = ("latent_norm.weight", np.array([1.0, 2.0, 3.0]))
    found = made(latent_normed, LATENT, weights=[scale], epsilon=0.5)
    root = np.sqrt(np.mean(LATENTS[:, :3] ** 2, axis=1, keepdims=True) + 0.5)
    assert found[:, :3] == pytest.approx(LATENTS[:, :3] / root * [1, 2, 3])
    assert np.array_equal(found[:, 3:], LATENTS[:, 3:])


def test_neighbours_are_rotated_and_grow(call: MakeCall) -> None:
    settings = {
        "latent": SIZES,
        "positions": (3, 3),
        "frequencies": (0.5,),
        "interleaved": True,
        "rotated_factor": 2.0,
    }
    queries, latents = latent_positioned(
        call(("query", QUERY), ("normed_latent", LATENTS), **settings)
    )
    turn = 2 * np.exp(1j * 0.5 * np.arange(3))
    for found, given, begin in ((queries, QUERY, 2), (latents, LATENTS, 3)):
        whole = (given[:, begin] + 1j * given[:, begin + 1]) * turn
        assert found[:, begin] == pytest.approx(whole.real)
        assert found[:, begin + 1] == pytest.approx(whole.imag)
        assert np.array_equal(found[:, :begin], given[:, :begin])


def test_heads_turn_alike(call: MakeCall) -> None:
    one = call(("query", QUERY), positions=(3, 3), frequencies=(0.5,))
    heads = np.tile(QUERY[:, None, :2], (1, 3, 1))
    found = turned(one, heads)
    assert np.array_equal(found[:, 0], found[:, 2])


def test_products_become_scores_by_the_scale_and_the_mask(call: MakeCall) -> None:
    one = call(("query", QUERY), positions=(3, 3), scale=0.25)
    found = masked(one, np.ones((1, 3, 3, 1)), np.arange(3))
    assert found[0, :, :, 0].tolist() == [
        [0.25, -np.inf, -np.inf],
        [0.25, 0.25, -np.inf],
        [0.25, 0.25, 0.25],
    ]
