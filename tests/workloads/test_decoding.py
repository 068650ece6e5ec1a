from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specs.families.catalogue import FAMILIES
from specs.model import ModelSpec
from workloads.decoding import decode
from workloads.model_graph import graph_of
from workloads.reference.activations import Array
from workloads.reference.evaluation import evaluate, random_weights

Tiny = Callable[..., ModelSpec]
DECODERS = [name for name, family in FAMILIES.items() if not family.encoder]
FEW = settings(max_examples=10)


def weights_of(model: ModelSpec, seed: int = 1) -> dict[str, Array]:
    return random_weights(graph_of(model, context=1, batch=1), seed)


def evaluated(
    model: ModelSpec, tokens: Array, weights: dict[str, Array] | None = None
) -> dict[str, Array]:
    """Return the values of all positions of sequences that are computed at once."""
    batch, context = tokens.shape
    graph = graph_of(
        model,
        context=context,
        batch=batch,
        query_tokens=context,
        answer_tokens=context,
    )
    inputs = {"tokens": tokens.reshape(-1, 1)}
    return evaluate(graph, inputs, weights or weights_of(model))


def logits(
    model: ModelSpec, tokens: Array, weights: dict[str, Array] | None = None
) -> Array:
    found = evaluated(model, tokens, weights)["head.logits"]
    return found.reshape(*tokens.shape, -1)


def assert_close(found: Array, expected: Array) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def sequences(batch: int, length: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(0, 23, (batch, length))


@pytest.mark.parametrize("family", DECODERS)
@FEW
@given(
    asked=st.tuples(st.integers(1, 2), st.integers(1, 6)),
    tokens=st.integers(1, 4),
    chunk=st.integers(1, 6),
)
def test_a_cache_that_grows_gives_the_logits_of_the_whole_sequence(
    family: str, asked: tuple[int, int], tokens: int, chunk: int, tiny: Tiny
) -> None:
    model = tiny(family)
    prompt = sequences(*asked)
    weights = weights_of(model)
    decoded = decode(model, weights, prompt, tokens, prefill_chunk=chunk)
    everything = np.hstack([prompt, decoded.tokens])
    whole = logits(model, everything[:, :-1])
    assert_close(decoded.logits, whole[:, asked[1] - 1 :])
    biased = decoded.logits + weights.get("head.bias", 0)
    assert np.array_equal(decoded.tokens, biased.argmax(axis=2))


@pytest.mark.parametrize("family", DECODERS)
def test_a_position_does_not_see_later_ones(family: str, tiny: Tiny) -> None:
    model, tokens = tiny(family), sequences(1, 6)
    changed = tokens.copy()
    changed[0, 4] = (changed[0, 4] + 1) % 23
    before, after = logits(model, tokens)[0], logits(model, changed)[0]
    assert_close(before[:4], after[:4])
    assert np.abs(before[4:] - after[4:]).max(axis=1).min() > 1e-3


@pytest.mark.parametrize("family", FAMILIES)
def test_sequences_of_a_batch_do_not_see_each_other(family: str, tiny: Tiny) -> None:
    model, tokens = tiny(family), sequences(3, 5)
    result = "head.pooled" if model.structure.encoder else "head.logits"
    together = evaluated(model, tokens)[result]
    alone = [evaluated(model, tokens[i : i + 1])[result] for i in range(3)]
    assert_close(together, np.vstack(alone))


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_every_position_of_an_encoder_sees_every_other(family: str, tiny: Tiny) -> None:
    model, tokens = tiny(family), sequences(1, 6)
    before = evaluated(model, tokens)["head.input"]
    for position in range(6):
        changed = tokens.copy()
        changed[0, position] = (changed[0, position] + 1) % 23
        after = evaluated(model, changed)["head.input"]
        assert np.abs(before - after).max(axis=1).min() > 1e-4


def test_one_expert_is_a_dense_model(tiny: Tiny) -> None:
    dense = tiny("mixtral", num_local_experts=1, num_experts_per_tok=1)
    one, tokens = tiny("mistral", sliding_window=None), sequences(2, 4)
    settings = {"numerics": one.numerics}
    assert np.array_equal(
        logits(dense.model_copy(update=settings), tokens), logits(one, tokens)
    )


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("used", [1, 2, 3])
def test_experts_that_are_all_alike_are_a_dense_model(
    used: int, biased: bool, tiny: Tiny
) -> None:
    dense, tokens = tiny("llama", mlp_bias=biased), sequences(2, 4)
    weights = weights_of(dense)
    model = tiny(
        "llama", mlp_bias=biased, num_local_experts=3, num_experts_per_tok=used
    )
    copied = weights_of(model)
    for name, value in weights.items():
        copied[name] = value
        if name.endswith(("gate.weight", "up.weight", "down.bias")):
            copied[name] = np.vstack([value] * 3)
        elif name.endswith(("down.weight", "gate.bias", "up.bias")):
            copied[name] = np.hstack([value] * 3)
    assert_close(logits(model, tokens, copied), logits(dense, tokens, weights))


@pytest.mark.parametrize("family", ["gemma2", "mistral", "phi3"])
def test_a_window_matters_only_if_the_context_is_longer(
    family: str, tiny: Tiny
) -> None:
    tokens = sequences(1, 7)
    none = tiny(family, sliding_window=7).model_copy(
        update={"window_tokens": None, "windowed_layers": ()}
    )
    full = logits(none, tokens)
    covered = logits(tiny(family, sliding_window=7), tokens)
    assert_close(covered, full)
    narrow = logits(tiny(family, sliding_window=4), tokens)
    # The first four positions see all that is before them.
    assert_close(narrow[:, :4], full[:, :4])
    assert np.abs(narrow[:, 4:] - full[:, 4:]).max(axis=2).min() > 1e-4
