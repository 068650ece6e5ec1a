import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specs.errors import SpecError
from specs.families.catalogue import FAMILIES
from specs.model import ModelSpec, model_from_config
from workloads.model_graph import graph_of
from workloads.operator_graph import OperatorGraph
from workloads.operators import Function
from workloads.reference.activations import Array
from workloads.reference.evaluation import FUNCTIONS, evaluate, random_weights

Tiny = Callable[..., ModelSpec]
# What Hugging Face transformers computes; make_transformers_values.py makes it.
PUBLISHED: dict[str, Any] = json.loads(
    Path(__file__).with_name("transformers_values.json").read_text("utf-8")
)
# It has rotations and root mean squares in single precision, and numbers up to 4.
ABSOLUTE = 5e-6


def column(*tokens: int) -> Array:
    return np.array(tokens).reshape(-1, 1)


def whole(model: ModelSpec, context: int, batch: int = 1) -> OperatorGraph:
    return graph_of(
        model,
        context=context,
        batch=batch,
        query_tokens=context,
        answer_tokens=context,
    )


def answer(model: ModelSpec, values: dict[str, Array]) -> Array:
    if model.structure.encoder:
        return values["head.pooled"]
    settings = model.numerical_settings
    cap, logits = settings.final_soft_cap, values["head.logits"]
    if model.head_biases:
        logits = logits + values["head.bias"]
    logits = logits / logits.dtype.type(settings.logits_divisor)
    return logits if cap is None else np.asarray(cap * np.tanh(logits / cap))


def test_every_function_can_be_evaluated() -> None:
    assert set(FUNCTIONS) == set(Function)


def test_every_family_is_compared_with_transformers() -> None:
    types = {case["config"]["model_type"] for case in PUBLISHED["cases"].values()}
    assert types == set(FAMILIES)


@pytest.mark.parametrize("name", PUBLISHED["cases"])
def test_the_evaluation_computes_what_transformers_computes(name: str) -> None:
    case, tokens = PUBLISHED["cases"][name], np.array(PUBLISHED["tokens"])
    model = model_from_config(case["config"], name="tiny")
    graph = whole(model, tokens.shape[1], batch=tokens.shape[0])
    weights = random_weights(graph, PUBLISHED["seed"])
    found = answer(model, evaluate(graph, {"tokens": column(*tokens.flat)}, weights))
    published = np.array(case["values"]).reshape(found.shape)
    assert np.abs(published).max() > 0.5
    np.testing.assert_allclose(found, published, rtol=0, atol=ABSOLUTE)


@pytest.mark.parametrize("family", FAMILIES)
def test_single_precision_is_close_to_double_precision(family: str, tiny: Tiny) -> None:
    model = tiny(family)
    graph = whole(model, 5)
    weights, inputs = random_weights(graph, 1), {"tokens": column(3, 1, 4, 1, 5)}
    double = evaluate(graph, inputs, weights)
    single = evaluate(graph, inputs, weights, dtype=np.float32)
    assert {value.dtype for name, value in single.items() if name != "tokens"} == {
        np.dtype(np.float32)
    }
    np.testing.assert_allclose(answer(model, single), answer(model, double), atol=1e-4)


def test_the_token_is_the_number_of_the_largest_logit(tiny: Tiny) -> None:
    graph = whole(tiny("gemma2"), 3)
    found = evaluate(graph, {"tokens": column(3, 1, 4)}, random_weights(graph, 1))
    largest, number = found["head.candidates"].T
    assert number.tolist() == found["head.logits"].argmax(axis=1).tolist()
    assert found["head.token"].ravel().tolist() == number.tolist()
    # The final soft cap of gemma2 is 30.
    bounded = 30 * np.tanh(found["head.logits"].max(axis=1) / 30)
    np.testing.assert_allclose(largest, bounded)


def test_random_weights_depend_on_seed_and_name_alone(tiny: Tiny) -> None:
    deep = random_weights(whole(tiny("llama", num_hidden_layers=3), 4), 1)
    shallow = random_weights(whole(tiny("llama"), 2), 1)
    for name, value in shallow.items():
        assert np.array_equal(deep[name], value)
    other = random_weights(whole(tiny("llama"), 2), 2)
    assert not any(np.array_equal(other[name], shallow[name]) for name in shallow)


def test_random_weights_keep_the_size_of_what_they_multiply(tiny: Tiny) -> None:
    drawn = random_weights(whole(tiny("llama", hidden_size=400), 2), 1)
    assert drawn["embedding.weight"].std() == pytest.approx(400**-0.5, rel=0.05)
    assert drawn["head.norm.weight"].mean() == pytest.approx(1, abs=0.05)
    gemma = random_weights(whole(tiny("gemma2", hidden_size=400), 2), 1)
    assert gemma["head.norm.weight"].mean() == pytest.approx(0, abs=0.05)
    assert np.array_equal(gemma["head.weight"], gemma["embedding.weight"])


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, r"input 'tokens' is missing"),
        ({"tokens": column(1)}, r"input 'tokens' is of shape \(1, 1\), not \(2, 1\)"),
        ({"tokens": column(1, 23)}, r"token 23 is not in a vocabulary of 23"),
        ({"tokens": column(-1, 2)}, r"token -1 is not in a vocabulary of 23"),
    ],
)
def test_wrong_inputs_are_refused(
    inputs: dict[str, Array], message: str, tiny: Tiny
) -> None:
    graph = whole(tiny("llama"), 2)
    with pytest.raises(SpecError, match=message):
        evaluate(graph, inputs, random_weights(graph, 1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"rope_scaling": {"type": "longrope"}},
            r"rope_scaling 'longrope' is not modelled",
        ),
        ({"head_dim": 3}, r"pairs elements, but 3 of a head are rotated"),
    ],
)
def test_a_rotation_that_is_not_modelled_has_no_values(
    changes: dict[str, object], message: str, tiny: Tiny
) -> None:
    graph = whole(tiny("llama", **changes), 2)
    with pytest.raises(SpecError, match=message):
        evaluate(graph, {"tokens": column(1, 2)}, random_weights(graph, 1))


def test_a_cache_with_earlier_positions_must_be_given(tiny: Tiny) -> None:
    graph = graph_of(tiny("llama"), context=3, batch=1)
    with pytest.raises(SpecError, match=r"state 'layers\.0.*key_cache' is missing"):
        evaluate(graph, {"tokens": column(1)}, random_weights(graph, 1))
