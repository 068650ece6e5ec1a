"""What `check_functions` refuses: results that do not follow from what is read."""

from collections.abc import Callable
from typing import Any

import pytest

from chip.dataflow import Function
from compiler.verify import verify
from topologies.selection import select_topology

Refused = Callable[..., str]


@pytest.mark.parametrize(
    ("kind", "variant", "case", "why"),
    [
        ("a copy in place of an operator", "statements", "decoder", "adds other parts"),
        ("a vector operator halved", "both", "decoder", "columns"),
        ("an expert left out", "statements", "experts", "multiplies other weights"),
        ("a partial sum left out", "statements", "decoder", "all partial sums once"),
        ("a partial sum left out", "both", "decoder", "all partial sums once"),
        ("keys and values swapped in a layer", "statements", "decoder", "key_cache"),
        ("a stale part of a cache read", "statements", "decoder", "other positions"),
        ("attention without the newest position", "statements", "decoder", "attention"),
        ("a layer left out", "both", "decoder", "makes no result, or more than one"),
    ],
)
def test_a_result_that_does_not_follow_is_refused(
    refused: Refused, kind: str, variant: str, case: str, why: str
) -> None:
    assert why in refused(kind, variant, case)


LOOKUP, TABLES = Function.LOOKUP, Function.ADD_TABLES
WEIGH, SCALE, NORM_ADD = Function.NORM_WEIGH, Function.NORM_SCALE, Function.NORM_ADD
CANDIDATE, SAMPLE = Function.CANDIDATE, Function.SAMPLE

FEWER, LATER = {"last": -1}, {"first": 1}
FEWER_PARTS, LATER_PARTS = {"part_last": -1}, {"part_first": 1}

ROWS = "states other rows of the table than it reads"
EVERY = "does not read its columns of every table"
WEIGHS = "weighs other columns than it makes"
SUMS = "sums other columns than it weighs"
FACTOR = "takes a norm's factor before the sums of all its columns are there"
SCALES = "scales other columns than it makes"
NORMED = "adds other columns than it makes"
EARLY = "samples before the candidates of all chips are there"


def test_a_cut_embedding_that_is_added_to_other_tables_is_proven(
    stated: Callable[[str], Any],
) -> None:
    program, plan = stated("cut")
    topology = select_topology(plan.strategy.chips)
    checks = verify(program, topology, plan.task.machine, plan=plan).checks
    assert checks["results follow by the graph"] > 0


@pytest.mark.parametrize(
    ("program", "function", "count"),
    [
        ("decoder", LOOKUP, 2),
        # Two parts of the table; the first adds the rows of the other tables.
        ("cut", LOOKUP, 2 * 2),
        ("cut", TABLES, 2),
        ("encoder", TABLES, 2),
        ("decoder", WEIGH, 2 * 3),
        ("decoder", SCALE, 2 * 3),
        # An encoder scales all states, and the first positions to pool.
        ("encoder", WEIGH, 2 * 3),
        ("encoder", SCALE, 2 * 4),
        ("post norms", NORM_ADD, 2 * 2),
        # The rows of the embedding, before attention, feed-forward and head.
        ("embedding norm", WEIGH, 2 * 4),
        ("embedding norm", SCALE, 2 * 4),
        ("cut", CANDIDATE, 2 * 2),
        ("cut", SAMPLE, 1),
    ],
)
def test_embeddings_norms_and_tokens_that_follow_by_the_graph_pass(
    followed: Callable[..., int], program: str, function: Function, count: int
) -> None:
    assert followed(program, function) == count


@pytest.mark.parametrize(
    ("program", "edits", "why"),
    [
        ("decoder", [("reads", LOOKUP, "tokens", None)], "needs the tokens and their "),
        (
            "decoder",
            [("reads", LOOKUP, "embedding.weight", FEWER_PARTS)],
            "makes other columns than it reads of its table",
        ),
        (
            "decoder",
            [("reads", LOOKUP, "embedding.weight", LATER)],
            "leaves out rows of the table",
        ),
        ("decoder", [("reads", LOOKUP, "embedding.weight", FEWER)], ROWS),
        ("cut", [("writes", LOOKUP, "rows@1", FEWER_PARTS)], ROWS),
        ("cut", [("writes", LOOKUP, "rows@1", LATER_PARTS)], ROWS),
        (
            "cut",
            [("reads", LOOKUP, "output@1", FEWER_PARTS)],
            "leaves out rows of the table",
        ),
        (
            "cut",
            [("reads", LOOKUP, "output@1", LATER_PARTS)],
            "adds to other columns than it makes",
        ),
        (
            "cut",
            [("reads", LOOKUP, "output@1", FEWER)],
            "adds to other columns than it makes",
        ),
        # The rows of other tables would be added a second time.
        (
            "cut",
            [("writes", LOOKUP, "embedding.output", "embedding.rows")],
            "makes no result, or more than one",
        ),
        ("encoder", [("reads", TABLES, "token_types.weight", FEWER)], EVERY),
        ("encoder", [("reads", TABLES, "token_types.weight", None)], EVERY),
        ("encoder", [("reads", TABLES, "positions.weight", LATER)], EVERY),
        ("encoder", [("reads", TABLES, "positions.weight", FEWER_PARTS)], EVERY),
        (
            "encoder",
            [("reads", TABLES, "rows", FEWER)],
            "adds rows of other tables to other columns than it makes",
        ),
        (
            "cut",
            [("writes", TABLES, "output@1", FEWER_PARTS)],
            "states other rows of the table than were found",
        ),
        ("decoder", [("reads", WEIGH, "embedding.output", FEWER)], WEIGHS),
        ("embedding norm", [("reads", WEIGH, "embedding.rows", FEWER)], WEIGHS),
        ("embedding norm", [("reads", SCALE, "squares", FEWER_PARTS)], FACTOR),
        (
            "embedding norm",
            [("reads", SCALE, "norm.bias", None)],
            "lacks weights or biases of the norm",
        ),
        ("decoder", [("reads", WEIGH, "embedding.output", {"part_last": 1})], WEIGHS),
        ("decoder", [("reads", WEIGH, "norm.weight", LATER)], WEIGHS),
        ("decoder", [("writes", WEIGH, "squares", {"last": 1})], SUMS),
        ("decoder", [("writes", WEIGH, "squares", FEWER_PARTS)], SUMS),
        ("decoder", [("writes", WEIGH, "squares", None)], SUMS),
        (
            "encoder",
            [("writes", WEIGH, "first_weighed", FEWER)],
            "makes other columns of first positions than of all",
        ),
        ("decoder", [("reads", SCALE, "weighed", FEWER)], SCALES),
        ("decoder", [("writes", SCALE, "input", LATER)], SCALES),
        ("decoder", [("writes", SCALE, "input", {"part_last": 1})], SCALES),
        # States of all positions that are made of the first ones, and the reverse.
        (
            "encoder",
            [("writes", SCALE, "head.input", "head.states")],
            "scales other positions than it makes",
        ),
        (
            "encoder",
            [("writes", SCALE, "head.states", "head.input")],
            "scales other positions than it makes",
        ),
        ("decoder", [("reads", SCALE, "squares", FEWER_PARTS)], FACTOR),
        ("wide", [("reads", SCALE, "squares", FEWER)], FACTOR),
        (
            "wide",
            [("reads", SCALE, "norm.bias", FEWER)],
            "lacks weights or biases of the norm",
        ),
        (
            "wide",
            [("reads", SCALE, "norm.weight", None)],
            "lacks weights or biases of the norm",
        ),
        ("post norms", [("reads", NORM_ADD, "sum", FEWER)], NORMED),
        ("post norms", [("reads", NORM_ADD, "sum", {"part_last": 1})], NORMED),
        ("post norms", [("reads", NORM_ADD, "post_norm.weight", LATER)], NORMED),
        ("post norms", [("reads", NORM_ADD, "embedding.output", None)], NORMED),
        ("post norms", [("reads", NORM_ADD, "sum_squares", FEWER_PARTS)], FACTOR),
        ("post norms", [("reads", NORM_ADD, "sum_squares", LATER_PARTS)], FACTOR),
        ("post norms", [("reads", NORM_ADD, "sum_squares", {"last": 1})], FACTOR),
        ("post norms", [("reads", NORM_ADD, "sum_squares", None)], FACTOR),
        (
            "decoder",
            [("reads", CANDIDATE, "logits", FEWER)],
            "is one of a group of chips that do not look at every logit once",
        ),
        (
            "decoder",
            [("writes", CANDIDATE, "candidates", {"last": 1})],
            "is one of a group of chips that do not look at every logit once",
        ),
        (
            "decoder",
            [("reads", CANDIDATE, "logits", {"last": 33})],
            "reads logits beyond the range that it states",
        ),
        (
            "cut",
            [("writes", CANDIDATE, "candidates@2", LATER_PARTS)],
            "states a choice without its first range",
        ),
        (
            "cut",
            [("reads", CANDIDATE, "candidates@2", LATER_PARTS)],
            "goes on with the candidate of another chip",
        ),
        (
            "cut",
            [("reads", CANDIDATE, "candidates@2", {"first": 1, "last": 1})],
            "goes on with the candidate of another chip",
        ),
        # One chip would pass over the logits between its range and the others'.
        (
            "cut",
            [("writes", CANDIDATE, "candidates@2", {"part_last": 1, "number": 1})],
            "is one of a group of chips that choose of different ranges",
        ),
        ("decoder", [("reads", SAMPLE, "candidates", FEWER)], EARLY),
        ("decoder", [("reads", SAMPLE, "candidates", LATER)], EARLY),
        (
            "decoder",
            [("writes", SAMPLE, "token", {"last": 1})],
            "makes other columns than the token",
        ),
    ],
)
def test_an_embedding_a_norm_or_a_token_of_other_columns_is_refused(
    unfounded: Callable[..., str], program: str, edits: list[Any], why: str
) -> None:
    assert unfounded(program, *edits).startswith(why)
