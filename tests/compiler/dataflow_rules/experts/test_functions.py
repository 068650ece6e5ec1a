"""What the rules of experts refuse: one statement of a valid program is altered.

The program has 4 experts of 64 columns in two groups of two chips, and a shared expert
of 128: each chip has 32 columns of each of its experts and 32 of the shared one.
"""

from collections.abc import Callable

import pytest

from chip.dataflow import Function
from compiler.dataflow_rules.experts.functions import EXPERT_RULES

PRODUCT, ROUTER = Function.PRODUCT, Function.ROUTER
CHOOSE, ACTIVATE = Function.CHOOSE, Function.ACTIVATE
SHARED = "shared expert"
LEFT_OUT = "leaves out its part of the shared expert, or adds another"
SCORED = "scores experts by other columns than it states"
VECTORS = "leaves out the router's bias or correction of some experts"


def test_scores_and_choices_have_a_rule_each() -> None:
    assert set(EXPERT_RULES) == {ROUTER, CHOOSE}


@pytest.mark.parametrize(
    ("function", "count"),
    # Query, key and value, their output, both ways in, the way out, and logits.
    [(ROUTER, 4), (CHOOSE, 4), (ACTIVATE, 4 * 2), (PRODUCT, 4 * 6)],
)
def test_a_shared_expert_that_follows_by_the_graph_passes(
    followed: Callable[..., int], function: Function, count: int
) -> None:
    assert followed(SHARED, function) == count


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        # Dropped: the activations, their matrix, or a part of either.
        (("reads", PRODUCT, "shared_activated", None), LEFT_OUT),
        (("reads", PRODUCT, "shared_down.weight", None), LEFT_OUT),
        (("reads", PRODUCT, "shared_activated", {"last": -1}), LEFT_OUT),
        (("reads", PRODUCT, "shared_down.weight", {"part_last": -1}), LEFT_OUT),
        (("reads", PRODUCT, "shared_down.weight", {"first": 1}), LEFT_OUT),
        # Another chip's part of it.
        (
            ("reads", PRODUCT, "shared_activated", {"first": 32, "last": 32}),
            LEFT_OUT,
        ),
        (
            ("reads", PRODUCT, "shared_gate.weight", {"first": 1, "last": 1}),
            "multiplies other weights than those of the result that it states",
        ),
        (
            ("reads", ACTIVATE, "shared_choice", None),
            "activates other columns than it makes",
        ),
        (
            ("reads", ACTIVATE, "shared_up", {"last": -1}),
            "activates other columns than it makes",
        ),
        (("reads", ROUTER, "shared_router.weight", None), SCORED),
        (("reads", ROUTER, "router.weight", {"last": -1}), SCORED),
        (("reads", CHOOSE, "router.bias", None), VECTORS),
        (("reads", CHOOSE, "router_correction.bias", {"first": 1}), VECTORS),
        (
            ("writes", CHOOSE, "shared_choice", None),
            "makes the weights of some experts alone",
        ),
        (
            ("reads", CHOOSE, "router_scores", {"last": -1}),
            "chooses experts before all their scores are there",
        ),
    ],
)
def test_what_leaves_out_or_confuses_a_part_of_experts_is_refused(
    unfounded: Callable[..., str], edit: object, why: str
) -> None:
    assert unfounded(SHARED, edit) == why


@pytest.mark.parametrize("vector", ["norm.weight", "norm.bias"])
@pytest.mark.parametrize("change", [None, {"last": -1}, {"first": 1, "last": 1}])
def test_scores_without_those_of_the_norm_behind_them_are_refused(
    unfounded: Callable[..., str], vector: str, change: object
) -> None:
    edit = ("reads", ROUTER, vector, change)
    assert unfounded("experts behind a LayerNorm", edit) == (
        "leaves out the scores of the norm's weights or bias"
    )


@pytest.mark.parametrize("change", [None, {"last": -1}, {"first": 1, "last": 1}])
def test_logits_without_their_bias_are_refused(
    unfounded: Callable[..., str], change: object
) -> None:
    edit = ("reads", Function.CANDIDATE, "head.bias", change)
    assert unfounded("experts behind a LayerNorm", edit) == (
        "leaves out the bias of some logits"
    )
