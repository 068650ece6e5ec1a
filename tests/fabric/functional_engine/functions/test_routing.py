from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.functional_engine.call import Call
from fabric.functional_engine.functions.routing import chosen
from specs.router import RouterScores, RouterSpec
from workloads.reference.routing import expert_weights

MakeCall = Callable[..., Call]


def test_the_best_experts_share_a_row(call: MakeCall) -> None:
    # A mean square of 4 halves the scores; equal ones fall to the lower number.
    scores = [[0.0, 2 * np.log(3), 0]]
    made = call(
        ("router_scores", scores),
        ("squares", [[8.0]], 0, 2),
        experts=3,
        experts_per_token=2,
    )
    assert chosen(made)[0][0].tolist() == pytest.approx([0.25, 0.75, 0])


def test_a_bias_is_added_to_scores_and_a_correction_to_the_choice(
    call: MakeCall,
) -> None:
    made = call(
        ("router_scores", [[0.0, 0, 0]]),
        ("squares", [[1.0]], 0, 1),
        weights=(
            ("router.bias", [0.0, np.log(3), 0]),
            ("it.router_correction.bias", [0.0, 0, 1]),
        ),
        experts=3,
        experts_per_token=2,
        router=RouterSpec(
            scores=RouterScores.SIGMOID, bias=True, correction=True, scale=2.0
        ),
    )
    assert chosen(made)[0][0].tolist() == pytest.approx([0, 1.5, 1])


def test_a_shared_expert_has_a_sigmoid_of_the_last_score(call: MakeCall) -> None:
    made = call(
        ("router_scores", [[1.0, 0, np.log(3)]]),
        ("squares", [[1.0]], 0, 1),
        experts=2,
    )
    choice, shared = chosen(made)
    assert choice.tolist() == [[1, 0]]
    assert shared.tolist() == [[pytest.approx(0.75)]]


@settings(max_examples=40)
@given(
    router=st.builds(
        RouterSpec,
        scores=st.sampled_from(RouterScores),
        tolerance=st.sampled_from([0.0, 0.5]),
        before_choice=st.booleans(),
        normalised=st.booleans(),
        scale=st.sampled_from([1.0, 2.5]),
        groups=st.sampled_from([2, 4]),
        groups_per_token=st.integers(1, 2),
        group_best=st.integers(1, 2),
        correction=st.booleans(),
    ),
    seed=st.integers(0, 99),
)
def test_chips_choose_as_the_reference_does(
    call: MakeCall, router: RouterSpec, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    logits, correction = draw.normal(size=(3, 8)), draw.normal(size=8)
    made = call(
        ("router_scores", logits),
        ("squares", np.ones((3, 1)), 0, 1),
        weights=(("it.router_correction.bias", correction),)
        if router.correction
        else (),
        experts=8,
        experts_per_token=2,
        router=router,
    )
    expected = expert_weights(
        router, logits, 2, correction[None] if router.correction else None
    )
    assert chosen(made)[0] == pytest.approx(expected)


def test_scores_behind_a_layer_norm_are_centred_after_the_product(
    call: MakeCall,
) -> None:
    draw = np.random.default_rng(3)
    rows, matrix = draw.normal(size=(2, 6)), draw.normal(size=(4, 6))
    weight, bias = draw.normal(size=6), draw.normal(size=6)
    scores = [(rows * weight) @ matrix.T]
    scores += [np.tile(vector @ matrix.T, (2, 1)) for vector in (weight, bias)]
    sums = np.stack([rows.sum(axis=1), (rows**2).sum(axis=1)], axis=1)
    router = RouterSpec(before_choice=True)
    made = call(
        ("router_scores", np.hstack(scores)),
        ("squares", sums, 0, 6),
        experts=4,
        experts_per_token=4,
        centred=True,
        router=router,
    )
    normed = (rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True)
    expected = expert_weights(router, (normed * weight + bias) @ matrix.T, 4)
    assert chosen(made)[0] == pytest.approx(expected)
