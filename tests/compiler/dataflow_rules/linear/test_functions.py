"""What the rules of linear attention refuse: one statement of a program is altered.

Each of two chips has one of 2 key heads of 6 columns, and 2 of 4 value heads of 5.
"""

from collections.abc import Callable
from typing import Any

import pytest

from chip.dataflow import Function
from compiler.dataflow_rules.linear.functions import linear_sizes

GATE, CONVOLVE, UNIT = Function.OUTPUT_GATE, Function.CONVOLVE, Function.UNIT_NORM
DECAY, DELTA, NORM = Function.DECAY, Function.DELTA_RULE, Function.GATED_NORM

FEWER, LATER, PART = {"last": -1}, {"first": 1}, {"part_last": 1}
COLUMNS = "makes other columns than it reads"
KERNEL = "convolves with other weights than those of its channels"
RATE = "takes the rate or the bias of other heads"
HEADS = "updates heads by queries, keys or values of others, or parts of a head"
STATE = "does not read the delta_state of its heads, and no others"
WEIGHTS = "norms parts of a head, or lacks weights of the norm"


@pytest.mark.parametrize("function", [GATE, CONVOLVE, UNIT, DECAY, DELTA, NORM])
def test_linear_attention_that_follows_by_the_graph_passes(
    followed: Callable[..., int], function: Function
) -> None:
    assert followed("linear", function) == 2


def test_sizes_are_those_of_the_graph(stated: Callable[[str], Any]) -> None:
    sizes = linear_sizes(stated("linear").statements)
    assert sizes is not None
    assert (sizes.sharing, sizes.key_size, sizes.value_size) == (2, 12, 20)
    assert linear_sizes(stated("decoder").statements) is None


@pytest.mark.parametrize(
    ("edits", "why"),
    [
        ([("reads", GATE, "output_gate", None)], COLUMNS),
        ([("reads", GATE, "context", FEWER)], COLUMNS),
        ([("reads", CONVOLVE, "query", FEWER)], COLUMNS),
        ([("reads", CONVOLVE, "value", PART)], COLUMNS),
        ([("reads", CONVOLVE, "key_kernel.weight", LATER)], KERNEL),
        ([("reads", CONVOLVE, "key_kernel.weight", {"part_last": -1})], KERNEL),
        (
            [("reads", CONVOLVE, "value_kernel.weight", "query_kernel.weight")],
            "names two regions of layers.0.attention.query_kernel.weight",
        ),
        ([("reads", CONVOLVE, "key_state", None)], "does not read the key_state"),
        ([("reads", CONVOLVE, "value_state", FEWER)], "does not read the value_state"),
        ([("reads", UNIT, "mixed_key", FEWER)], COLUMNS),
        (
            [
                ("reads", UNIT, "mixed_query", FEWER),
                ("writes", UNIT, "queries", FEWER),
            ],
            "norms parts of a head",
        ),
        # Queries that the convolution has not mixed.
        ([("reads", UNIT, "mixed_query", "query")], COLUMNS),
        ([("reads", DECAY, "write", LATER)], COLUMNS),
        ([("reads", DECAY, "decay_rate.weight", LATER)], RATE),
        ([("reads", DECAY, "decay.bias", None)], RATE),
        ([("reads", DELTA, "queries", {"last": -6, "first": -6})], HEADS),
        ([("reads", DELTA, "keys", FEWER)], HEADS),
        ([("reads", DELTA, "keys", "mixed_key")], HEADS),
        ([("reads", DELTA, "written", FEWER)], HEADS),
        ([("writes", DELTA, "recalled", {"last": -5})], HEADS),
        ([("reads", DELTA, "delta_state", None)], STATE),
        ([("reads", DELTA, "delta_state", {"last": -5})], STATE),
        ([("reads", NORM, "output_gate", LATER)], COLUMNS),
        ([("reads", NORM, "output_norm.weight", FEWER)], WEIGHTS),
    ],
)
def test_linear_attention_that_does_not_follow_by_the_graph_is_refused(
    unfounded: Callable[..., str], edits: list[Any], why: str
) -> None:
    assert why in unfounded("linear", *edits)
