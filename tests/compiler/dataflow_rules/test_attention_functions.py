"""What the rules of attention refuse: one statement of a valid program is altered."""

from collections.abc import Callable
from typing import Any

import pytest

from chip.dataflow import Function
from compiler.dataflow_rules.attention_functions import head_sizes

BIAS, NORM, POSITION = Function.BIAS, Function.HEAD_NORM, Function.POSITION
SCALE, SCORES, SOFTMAX = Function.HEAD_SCALE, Function.SCORES, Function.SOFTMAX
ATTEND, COMBINE = Function.ATTEND, Function.COMBINE

FEWER, LATER = {"last": -1}, {"first": 1}
# Another head; heads have 8 rows.
NEXT_HEAD = {"first": 8, "last": 8}
BEFORE = {"first": -8, "last": -8}
NEXT_PART = {"part_first": 1, "part_last": 1}

OTHER_BIASES = "adds other biases than those of its columns"
TWICE = "leaves out a bias or a norm, or has it twice"
ROTATES = "rotates other columns than it makes, or parts of a head"
FACTOR = "takes the factor of a head before the squares of all its rows are there"
KEYS = "scores queries against the keys of other heads"
POSITIONS = "reads other positions of the {} than it attends to"


@pytest.mark.parametrize(
    ("program", "function"),
    [
        ("decoder", POSITION),
        ("decoder", SCORES),
        ("decoder", SOFTMAX),
        ("decoder", ATTEND),
        ("shared heads", SCORES),
        ("shared heads", ATTEND),
        ("shared heads", COMBINE),
        ("biases", BIAS),
        ("biases", POSITION),
        ("wide", BIAS),
        ("head norms", BIAS),
        ("head norms", NORM),
        ("head norms", POSITION),
        ("head norms", SCALE),
        ("norms behind", NORM),
        ("norms behind", SCALE),
        ("encoder", SCORES),
        ("encoder", ATTEND),
    ],
)
def test_attention_that_follows_by_the_graph_passes(
    followed: Callable[..., int],
    stated: Callable[[str], Any],
    program: str,
    function: Function,
) -> None:
    # One operation on each chip.
    assert followed(program, function) == stated(program).plan.strategy.tensor


def test_heads_are_those_of_the_layer(stated: Callable[[str], Any]) -> None:
    statements = stated("decoder").statements
    sizes = head_sizes(statements, statements.of(SCORES))
    assert [each.tolist() for each in sizes] == [[4, 4], [2, 2], [8, 8]]


@pytest.mark.parametrize(
    ("program", "edits", "why"),
    [
        ("biases", [("reads", BIAS, "query", FEWER)], OTHER_BIASES),
        ("biases", [("reads", BIAS, "key", None)], OTHER_BIASES),
        ("biases", [("reads", BIAS, "value.bias", LATER)], OTHER_BIASES),
        ("biases", [("reads", BIAS, "query.bias", None)], OTHER_BIASES),
        ("biases", [("writes", BIAS, "biased_key", None)], OTHER_BIASES),
        (
            "biases",
            [("writes", BIAS, "biased_query", "queries")],
            "leaves out the rotation",
        ),
        (
            "wide",
            [("writes", BIAS, "queries", "biased_query")],
            "leaves out the rotation",
        ),
        # Of two results, one may be of columns that the other does not have.
        (
            "wide",
            [("writes", BIAS, "queries", ["biased_query"])],
            "leaves out the rotation",
        ),
        (
            "head norms",
            [("reads", NORM, "biased_query", "query")],
            "leaves out a bias",
        ),
        # Half of the columns come with their biases, and half without.
        (
            "head norms",
            [
                ("reads", NORM, "biased_query", ["query"]),
                ("reads", NORM, "biased_query", {"last": -8}),
            ],
            "leaves out a bias",
        ),
        (
            "head norms",
            [("reads", NORM, "biased_key", FEWER)],
            "weighs other rows than it makes",
        ),
        (
            "head norms",
            [("writes", NORM, "query_squares", FEWER)],
            "weighs other rows than it makes",
        ),
        (
            "head norms",
            [("writes", NORM, "key_weighed", None)],
            "weighs other rows than it makes",
        ),
        (
            "head norms",
            [("reads", NORM, "query_norm.weight", FEWER)],
            "lacks the weights of the heads' norm",
        ),
        (
            "head norms",
            [("reads", NORM, "key_norm.weight", None)],
            "lacks the weights of the heads' norm",
        ),
        # Each chip has 16 of 32 rows, but needs the squares of all.
        ("norms behind", [("reads", SCALE, "query_squares", {"last": -16})], FACTOR),
        ("norms behind", [("reads", SCALE, "key_squares", LATER)], FACTOR),
        (
            "norms behind",
            [("reads", NORM, "query_norm.weight", FEWER)],
            "lacks the weights of the heads' norm",
        ),
        (
            "norms behind",
            [("reads", NORM, "key_norm.weight", {"number": 1, **BEFORE})],
            "lacks the weights of the heads' norm",
        ),
        ("decoder", [("reads", POSITION, "query", None)], TWICE),
        ("decoder", [("reads", POSITION, "query", "biased_query")], TWICE),
        ("biases", [("reads", POSITION, "biased_key", "key")], TWICE),
        ("biases", [("reads", POSITION, "biased_key", ["key"])], TWICE),
        ("head norms", [("reads", POSITION, "query_weighed", "query")], TWICE),
        ("decoder", [("reads", POSITION, "query", FEWER)], ROTATES),
        ("decoder", [("writes", POSITION, "keys", LATER)], ROTATES),
        ("decoder", [("writes", POSITION, "values", None)], ROTATES),
        # Half a head at the end, and at the beginning.
        (
            "decoder",
            [
                ("reads", POSITION, "query", {"last": -4}),
                ("writes", POSITION, "queries", {"last": -4}),
            ],
            ROTATES,
        ),
        (
            "decoder",
            [
                ("reads", POSITION, "query", {"first": 4}),
                ("writes", POSITION, "queries", {"first": 4}),
            ],
            ROTATES,
        ),
        ("head norms", [("reads", SCALE, "query_squares", FEWER)], FACTOR),
        ("head norms", [("reads", SCALE, "rotated_key", LATER)], FACTOR),
        ("head norms", [("writes", SCALE, "queries", None)], FACTOR),
        (
            "head norms",
            [
                ("reads", SCALE, "rotated_query", {"last": -4}),
                ("reads", SCALE, "query_squares", {"last": -4}),
                ("writes", SCALE, "queries", {"last": -4}),
            ],
            FACTOR,
        ),
    ],
)
def test_heads_of_other_columns_than_their_projections_are_refused(
    unfounded: Callable[..., str], program: str, edits: list[Any], why: str
) -> None:
    assert unfounded(program, *edits) == why


@pytest.mark.parametrize(
    ("program", "edits", "why"),
    [
        ("decoder", [("reads", SCORES, "queries", FEWER)], KEYS),
        ("decoder", [("reads", SCORES, "queries", NEXT_HEAD)], KEYS),
        ("decoder", [("writes", SCORES, "scores", FEWER)], KEYS),
        (
            "decoder",
            [
                ("reads", SCORES, "keys", NEXT_HEAD),
                ("reads", SCORES, "key_cache", NEXT_HEAD),
            ],
            KEYS,
        ),
        (
            "decoder",
            [("reads", SCORES, "key_cache", None)],
            POSITIONS.format("key_cache"),
        ),
        # An encoder has no cache.
        (
            "encoder",
            [("reads", SCORES, "keys", ["key_cache"])],
            POSITIONS.format("key_cache"),
        ),
        (
            "decoder",
            [("reads", SCORES, "key_cache", NEXT_HEAD)],
            POSITIONS.format("key_cache"),
        ),
        (
            "shared heads",
            [("reads", SCORES, "key_cache", NEXT_PART)],
            POSITIONS.format("key_cache"),
        ),
        (
            "shared heads",
            [
                ("writes", SCORES, "scores", {"part_last": 1}),
                ("reads", SCORES, "key_cache", {"part_last": 1}),
            ],
            "attends to several parts of the context at once",
        ),
        (
            "decoder",
            [("reads", SOFTMAX, "scores", FEWER)],
            "normalises other scores than it makes weights of",
        ),
        (
            "shared heads",
            [("reads", SOFTMAX, "scores", NEXT_PART)],
            "normalises other scores than it makes weights of",
        ),
        (
            "shared heads",
            [("writes", SOFTMAX, "weights", {"part_last": 1})],
            "normalises other scores than it makes weights of",
        ),
        (
            "decoder",
            [("writes", ATTEND, "context", ["attended"])],
            "makes no context, or two",
        ),
        (
            "decoder",
            [("writes", ATTEND, "context", "keys")],
            "makes no context, or two",
        ),
        (
            "decoder",
            [("reads", ATTEND, "value_cache", None)],
            POSITIONS.format("value_cache"),
        ),
        (
            "shared heads",
            [("reads", ATTEND, "value_cache", NEXT_PART)],
            POSITIONS.format("value_cache"),
        ),
        (
            "decoder",
            [
                ("reads", ATTEND, "values", NEXT_HEAD),
                ("reads", ATTEND, "value_cache", NEXT_HEAD),
            ],
            "weighs the values of other heads",
        ),
        (
            "decoder",
            [("reads", ATTEND, "weights", FEWER)],
            "weighs the values of other heads",
        ),
        (
            "decoder",
            [("writes", ATTEND, "context", {"last": -8})],
            "weighs the values of other heads",
        ),
        (
            "shared heads",
            [("writes", ATTEND, "attended", NEXT_PART)],
            "states a context of other positions than it attends to",
        ),
        (
            "shared heads",
            [("reads", COMBINE, "attended", FEWER)],
            "joins other columns than it makes",
        ),
        (
            "shared heads",
            [("reads", COMBINE, "attended", {"part_first": 1})],
            "joins other columns than it makes",
        ),
        (
            "shared heads",
            [("writes", COMBINE, "context", {"part_last": 1})],
            "joins other columns than it makes",
        ),
    ],
)
def test_attention_to_other_heads_or_positions_is_refused(
    unfounded: Callable[..., str], program: str, edits: list[Any], why: str
) -> None:
    assert unfounded(program, *edits) == why
