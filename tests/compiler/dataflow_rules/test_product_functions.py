"""What the rules of products refuse: one statement of a valid program is altered."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chip.dataflow import Function
from compiler.dataflow_rules.product_functions import begins_of, check_sums, experts_of
from specs.errors import VerificationError

PRODUCT, ROUTER = Function.PRODUCT, Function.ROUTER
CHOOSE, ACTIVATE = Function.CHOOSE, Function.ACTIVATE

FEWER, LATER = {"last": -1}, {"first": 1}
FEWER_PARTS, LATER_PARTS = {"part_last": -1}, {"part_first": 1}

PARTS = "states other parts than the columns that it multiplies"
WEIGHTS = "multiplies other weights than those of the result that it states"
CHOSEN = "multiplies experts before they are chosen"
SCORED = "scores experts by other columns than it states"
UNSCORED = "chooses experts before all their scores are there"
SOME = "makes the weights of some experts alone"
FACTOR = "takes a norm's factor before the sums of all its columns are there"
ACTIVATES = "activates other columns than it makes"


@pytest.mark.parametrize(
    ("program", "function", "count"),
    [
        # Projections, their output, both ways through the feed-forward, and logits.
        ("decoder", PRODUCT, 2 * 5),
        ("grid", PRODUCT, 4 * 5),
        ("biases", PRODUCT, 2 * 5),
        ("encoder", PRODUCT, 2 * 5),
        ("experts", PRODUCT, 4 * 5),
        ("experts", ROUTER, 4),
        ("experts", CHOOSE, 4),
        ("experts", ACTIVATE, 4),
        ("decoder", ACTIVATE, 2),
        # An encoder pools through an activation.
        ("encoder", ACTIVATE, 2 * 2),
        ("grid", ACTIVATE, 4),
    ],
)
def test_products_that_follow_by_the_graph_pass(
    followed: Callable[..., int], program: str, function: Function, count: int
) -> None:
    assert followed(program, function) == count


@pytest.mark.parametrize(
    ("program", "edits", "why"),
    [
        ("decoder", [("reads", PRODUCT, "input", None)], "has no left operand"),
        (
            "norms behind",
            [("reads", PRODUCT, "embedding.output", None)],
            "has no left operand",
        ),
        ("norms behind", [("reads", PRODUCT, "embedding.output", FEWER)], PARTS),
        ("decoder", [("reads", PRODUCT, "input", ["weighed"])], "has no left operand"),
        ("decoder", [("reads", PRODUCT, "input", LATER_PARTS)], "has no left operand"),
        (
            "decoder",
            [("reads", PRODUCT, "input", {"part_last": 1})],
            "multiplies a sum that is not complete",
        ),
        (
            "wide",
            [("reads", PRODUCT, "input", "weighed")],
            "leaves out the norm's mean",
        ),
        ("experts", [("reads", PRODUCT, "choice", None)], CHOSEN),
        # The choice among the last experts only is no choice among all.
        ("experts", [("reads", PRODUCT, "choice", LATER)], CHOSEN),
        ("experts", [("reads", PRODUCT, "choice", FEWER)], CHOSEN),
        ("experts", [("reads", PRODUCT, "choice", {"part_last": 1})], CHOSEN),
        (
            "decoder",
            [("writes", ACTIVATE, "activated", {"part_last": 1})],
            "makes nothing",
        ),
        ("decoder", [("writes", PRODUCT, "query", None)], "has no rows of result 1"),
        ("decoder", [("writes", PRODUCT, "value", None)], "has no rows of result 3"),
        (
            "decoder",
            [("reads", PRODUCT, "key.weight", None)],
            "has no rows of result 2",
        ),
        (
            "decoder",
            [("writes", PRODUCT, "query", "unscaled_query")],
            "needs the norm's factor first",
        ),
        (
            "grid",
            [("writes", PRODUCT, "unscaled_gate", "gate")],
            "needs the norm's factor first",
        ),
        ("decoder", [("reads", PRODUCT, "input", FEWER)], PARTS),
        ("decoder", [("reads", PRODUCT, "context", LATER)], PARTS),
        ("decoder", [("writes", PRODUCT, "query", {"part_last": 1})], PARTS),
        ("decoder", [("writes", PRODUCT, "partial", FEWER_PARTS)], PARTS),
        ("grid", [("reads", PRODUCT, "weighed", FEWER)], PARTS),
        ("grid", [("writes", PRODUCT, "unscaled_up", LATER_PARTS)], PARTS),
        # The product of the first column alone looks like a complete one.
        (
            "decoder",
            [
                ("reads", PRODUCT, "input", {"last": -31}),
                ("reads", PRODUCT, "query.weight", {"part_last": -31}),
            ],
            PARTS,
        ),
    ],
)
def test_a_product_of_other_columns_than_it_states_is_refused(
    unfounded: Callable[..., str], program: str, edits: list[Any], why: str
) -> None:
    assert unfounded(program, *edits) == why


@pytest.mark.parametrize(
    ("program", "edit"),
    [
        ("decoder", ("reads", PRODUCT, "query.weight", FEWER)),
        ("decoder", ("reads", PRODUCT, "query.weight", LATER)),
        ("decoder", ("reads", PRODUCT, "query.weight", {"first": 16, "last": 16})),
        ("decoder", ("reads", PRODUCT, "query.weight", FEWER_PARTS)),
        ("decoder", ("reads", PRODUCT, "query.weight", LATER_PARTS)),
        ("decoder", ("reads", PRODUCT, "gate.weight", {"first": -1, "last": -1})),
        ("decoder", ("reads", PRODUCT, "down.weight", FEWER)),
        ("decoder", ("reads", PRODUCT, "down.weight", FEWER_PARTS)),
        ("decoder", ("writes", PRODUCT, "key", FEWER)),
        ("decoder", ("writes", PRODUCT, "logits", {"first": 32, "last": 32})),
        # One expert of two is left out, or takes the place of the other.
        ("experts", ("reads", PRODUCT, "up.weight", None)),
        ("experts", ("reads", PRODUCT, "up.weight", {"first": 64, "last": 64})),
        ("experts", ("reads", PRODUCT, "down.weight", None)),
        (
            "experts",
            ("reads", PRODUCT, "down.weight", {"part_first": 64, "part_last": 64}),
        ),
    ],
)
def test_a_product_with_other_weights_is_refused(
    unfounded: Callable[..., str], program: str, edit: Any
) -> None:
    assert unfounded(program, edit) == WEIGHTS


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (("reads", ROUTER, "weighed", None), SCORED),
        (("reads", ROUTER, "weighed", FEWER), SCORED),
        (("reads", ROUTER, "weighed", {"part_last": 1}), SCORED),
        (("reads", ROUTER, "router.weight", LATER), SCORED),
        (("reads", ROUTER, "router.weight", FEWER), SCORED),
        (("reads", ROUTER, "router.weight", LATER_PARTS), SCORED),
        (("reads", ROUTER, "router.weight", FEWER_PARTS), SCORED),
        (("writes", ROUTER, "router_scores", LATER), SCORED),
        (("writes", ROUTER, "router_scores", FEWER), SCORED),
        (("writes", ROUTER, "router_scores", LATER_PARTS), SCORED),
        (("writes", ROUTER, "router_scores", FEWER_PARTS), SCORED),
        (("reads", CHOOSE, "squares", LATER), FACTOR),
        (("reads", CHOOSE, "squares", {"last": 1}), FACTOR),
        (("reads", CHOOSE, "squares", LATER_PARTS), FACTOR),
        (("reads", CHOOSE, "squares", FEWER_PARTS), FACTOR),
        (("reads", CHOOSE, "squares", None), FACTOR),
        (("reads", CHOOSE, "router_scores", LATER), UNSCORED),
        (("reads", CHOOSE, "router_scores", FEWER), UNSCORED),
        (("reads", CHOOSE, "router_scores", LATER_PARTS), UNSCORED),
        (("reads", CHOOSE, "router_scores", FEWER_PARTS), UNSCORED),
        (("writes", CHOOSE, "choice", LATER), SOME),
        (("writes", CHOOSE, "choice", FEWER), SOME),
        (("writes", CHOOSE, "choice", {"part_last": 1}), SOME),
        (("reads", ACTIVATE, "gate", None), ACTIVATES),
        (("reads", ACTIVATE, "gate", FEWER), ACTIVATES),
        (("reads", ACTIVATE, "up", {"part_last": 1}), ACTIVATES),
        (("reads", ACTIVATE, "choice", LATER), ACTIVATES),
        (("reads", ACTIVATE, "choice", FEWER), ACTIVATES),
        (("reads", ACTIVATE, "gate.bias", FEWER), WEIGHTS),
        (("reads", ACTIVATE, "up.bias", None), WEIGHTS),
    ],
)
def test_experts_that_do_not_follow_from_all_scores_are_refused(
    unfounded: Callable[..., str], edit: Any, why: str
) -> None:
    assert unfounded("experts", edit) == why


def test_experts_are_those_of_the_block_of_an_operator(
    stated: Callable[[str], Any],
) -> None:
    statements = stated("experts").statements
    assert experts_of(statements, "layers.0.feed_forward.down") == 4
    assert experts_of(statements, "layers.0.attention.output_product") == 1
    assert experts_of(stated("decoder").statements, "layers.0.feed_forward.down") == 1


def test_the_first_row_of_a_place_is_that_of_all_its_rows() -> None:
    # Two rows of operation 0, none of 1, three of 2.
    assert begins_of(np.array([0, 0, 2, 2, 2]), 3).tolist() == [0, 0, 2, 2, 2]


@pytest.mark.parametrize(
    ("program", "change"),
    [
        ("decoder", FEWER_PARTS),
        ("decoder", LATER_PARTS),
        # A LayerNorm takes the sum and the sum of squares.
        ("wide", FEWER),
        ("wide", LATER),
    ],
)
def test_a_factor_is_of_the_sums_of_all_columns(
    stated: Callable[[str], Any],
    altered: Callable[..., tuple[Any, str]],
    program: str,
    change: dict[str, int],
) -> None:
    norms = Function.NORM_SCALE
    valid = stated(program).statements
    check_sums(valid, valid.of(norms))
    wrong = altered(program, ("reads", norms, "squares", change))[0].statements
    with pytest.raises(VerificationError, match=FACTOR):
        check_sums(wrong, wrong.of(norms))
