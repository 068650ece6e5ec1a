"""What the rules of latent attention refuse: one statement of a program is altered.

A chip has 2 of 4 heads. Of 16 positions keys and values are made; with 700 positions
heads attend to the latents. A head has 10 columns of queries, 14 of absorbed ones, 11
of keys and values, 10 of mixed latents, 5 of the context.
"""

from collections.abc import Callable
from typing import Any

import pytest

from chip.dataflow import Function
from compiler.dataflow_rules.latent.functions import latent_sizes

NORM, POSITION, ABSORB = Function.LATENT_NORM, Function.POSITION, Function.ABSORB
EXPAND, SCORES, ATTEND = Function.EXPAND, Function.SCORES, Function.ATTEND
VALUES = Function.EXPAND_VALUES

FEWER, LATER = {"last": -1}, {"first": 1}
PART = {"part_last": 1}
HALF = {"last": -7}

OTHERS = "takes other heads than it makes, or parts of a head"
WEIGHTS = "multiplies other weights than those of its heads"
LATENT = "does not read every column of the {}, which all heads share"
ROTATES = "rotates other columns than it makes, or parts of a head"
KEYS = "scores queries against the keys of other heads"
FORM = "scores no queries, or queries against keys of the other form"
CONTEXT = "weighs the values of other heads"


@pytest.mark.parametrize(
    ("program", "function"),
    [
        *(("absorbed", each) for each in (NORM, POSITION, ABSORB, SCORES, ATTEND)),
        ("absorbed", VALUES),
        *(("expanded", each) for each in (NORM, POSITION, EXPAND, SCORES, ATTEND)),
    ],
)
def test_latent_attention_that_follows_by_the_graph_passes(
    followed: Callable[..., int], program: str, function: Function
) -> None:
    assert followed(program, function) == 2


@pytest.mark.parametrize(("program", "function"), [("absorbed", EXPAND)])
def test_only_one_form_is_computed(
    stated: Callable[[str], Any], program: str, function: Function
) -> None:
    assert len(stated(program).statements.of(function)) == 0


def test_sizes_of_latents_are_those_of_the_graph(stated: Callable[[str], Any]) -> None:
    sizes = latent_sizes(stated("absorbed").statements)
    assert sizes is not None
    assert (sizes.kv_rank, sizes.cached_size, sizes.expanded_dim) == (10, 14, 11)
    assert latent_sizes(stated("decoder").statements) is None


@pytest.mark.parametrize(
    ("program", "edits", "why"),
    [
        (
            "absorbed",
            [("reads", NORM, "latent_down", FEWER)],
            "norms a latent before all of it is there",
        ),
        # A partial sum of it is not the latent.
        (
            "absorbed",
            [("reads", NORM, "query_down", PART)],
            "norms a latent before all of it is there",
        ),
        (
            "absorbed",
            [("reads", NORM, "latent_norm.weight", None)],
            "lacks the weights of a latent's norm",
        ),
        (
            "absorbed",
            [("reads", NORM, "query_norm.weight", FEWER)],
            "lacks the weights of a latent's norm",
        ),
        # The norm of the latent is left out.
        (
            "absorbed",
            [("reads", POSITION, "normed_latent", "latent_down")],
            "rotates the key of a part of a latent",
        ),
        ("absorbed", [("reads", POSITION, "query", LATER)], ROTATES),
        (
            "absorbed",
            [
                ("reads", POSITION, "normed_latent", FEWER),
                ("writes", POSITION, "latent", FEWER),
            ],
            "rotates the key of a part of a latent",
        ),
        ("absorbed", [("reads", ABSORB, "queries", {"last": -10})], OTHERS),
        ("absorbed", [("writes", ABSORB, "absorbed", FEWER)], WEIGHTS),
        ("absorbed", [("reads", ABSORB, "key_value_up.weight", HALF)], WEIGHTS),
        (
            "absorbed",
            [("reads", ABSORB, "key_value_up.weight", {"part_last": -1})],
            WEIGHTS,
        ),
        # Half of the latent is left out of the scores.
        ("absorbed", [("reads", SCORES, "latent", HALF)], LATENT.format("latent")),
        (
            "absorbed",
            [("reads", SCORES, "latent_cache", HALF)],
            LATENT.format("latent_cache"),
        ),
        # The rotated key is left out.
        ("expanded", [("reads", SCORES, "latent", None)], LATENT.format("latent")),
        ("absorbed", [("reads", SCORES, "absorbed", {"last": -14})], KEYS),
        ("absorbed", [("reads", SCORES, "absorbed", "queries")], FORM),
        ("expanded", [("reads", SCORES, "expanded", None)], FORM),
        ("expanded", [("reads", SCORES, "expanded", {"last": -11})], KEYS),
        (
            "absorbed",
            [("writes", SCORES, "scores", PART)],
            "attends to a part of the context",
        ),
        ("expanded", [("reads", EXPAND, "latent_cache", None)], "latent_cache"),
        ("expanded", [("writes", EXPAND, "expanded", FEWER)], WEIGHTS),
        ("absorbed", [("reads", ATTEND, "latent", HALF)], LATENT.format("latent")),
        ("absorbed", [("reads", ATTEND, "weights", {"last": -1})], CONTEXT),
        ("absorbed", [("writes", ATTEND, "latent_context", {"last": -10})], CONTEXT),
        (
            "absorbed",
            [("writes", ATTEND, "latent_context", "context")],
            "makes no context, or one of the other form",
        ),
        (
            "expanded",
            [("reads", ATTEND, "expanded", None)],
            "makes no context, or one of the other form",
        ),
        ("expanded", [("reads", ATTEND, "expanded", {"last": -11})], CONTEXT),
        ("absorbed", [("reads", VALUES, "latent_context", {"last": -10})], WEIGHTS),
        ("absorbed", [("writes", VALUES, "context", {"last": -5})], OTHERS),
        ("absorbed", [("reads", VALUES, "key_value_up.weight", LATER)], WEIGHTS),
    ],
)
def test_latent_attention_that_does_not_follow_by_the_graph_is_refused(
    unfounded: Callable[..., str], program: str, edits: list[Any], why: str
) -> None:
    assert why in unfounded(program, *edits)
