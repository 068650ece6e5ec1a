"""What the rule of the softmax refuses where heads have sinks.

Four chips share two KV heads: two chips have the parts of the context of each.
"""

from collections.abc import Callable

import pytest

from chip.dataflow import Function

SOFTMAX = Function.SOFTMAX
ONCE = "does not add the sinks of its heads to one part of the context"


def test_sinks_of_heads_that_chips_share_pass(
    followed: Callable[[str, Function], int],
) -> None:
    assert followed("sinks", SOFTMAX) == 4


@pytest.mark.parametrize(
    "change",
    # Dropped, of some heads alone, of other heads.
    [None, {"last": -1}, {"first": 1}, {"first": 2, "last": 2}],
)
def test_sinks_that_are_left_out_or_of_other_heads_are_refused(
    unfounded: Callable[..., str], change: object
) -> None:
    assert unfounded("sinks", ("reads", SOFTMAX, "sinks.weight", change)) == ONCE


def test_sinks_are_not_added_to_every_part_of_the_context(
    unfounded: Callable[..., str],
) -> None:
    edit = ("reads", SOFTMAX, "scores", {"part_first": 1, "part_last": 1})
    made = ("writes", SOFTMAX, "weights", {"part_first": 1, "part_last": 1})
    assert unfounded("sinks", edit, made) == ONCE
