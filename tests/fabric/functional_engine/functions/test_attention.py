from collections.abc import Callable, Sequence
from dataclasses import replace
from math import pi
from typing import Any

import numpy as np
import pytest

from fabric.functional_engine.call import Call
from fabric.functional_engine.functions.attention import (
    attended,
    combined,
    head_scaled,
    head_weighed,
    join_attended,
    positioned,
    scores,
    softmax,
)
from fabric.functional_engine.memory import Array

MakeCall = Callable[..., Call]

# One head of one element; three positions that a last query attends to.
KEYS = ((1.0,), (2.0,), (3.0,))


def attend(
    call: MakeCall,
    members: int,
    part: int,
    keys: Sequence[Sequence[float]] = KEYS,
    **settings: Any,
) -> Array:
    """Attend from three positions to a part of them; values are 10, 20 and 30."""
    given = {"positions": (3, 3), "members": members, "head_dim": 1, **settings}

    def made(*reads: tuple[Any, ...]) -> Call:
        one = call(*reads, **given)
        write = one.writes[0]._replace(part_first=part, part_last=part + 1)
        return replace(one, writes=(write,))

    (found,) = scores(made(("queries", [[1.0]] * 3), ("keys", keys)))
    (weights,) = softmax(made(("scores", found)))
    (rows,) = attended(made(("weights", weights), ("values", [[10.0], [20], [30]])))
    return rows


def test_positions_attend_to_themselves_and_earlier_ones(call: MakeCall) -> None:
    rows = attend(call, 1, 0, keys=[[0.0]] * 3)
    assert rows[:, 0].tolist() == pytest.approx([10, 15, 20])
    rows = attend(call, 1, 0, keys=[[0.0]] * 3, causal=False)
    assert rows[:, 0].tolist() == pytest.approx([20, 20, 20])
    rows = attend(call, 1, 0, keys=[[0.0]] * 3, window=2)
    assert rows[:, 0].tolist() == pytest.approx([10, 15, 25])


def test_parts_of_the_context_combine_to_the_whole(call: MakeCall) -> None:
    whole = attend(call, 1, 0)
    # Of three chips the last sees position 2 alone, so earlier queries see nothing.
    parts = [attend(call, 3, part) for part in range(3)]
    assert parts[2][2, :2, 0].tolist() == [0, 0]
    together = join_attended(join_attended(parts[2], parts[0]), parts[1])
    (rows,) = combined(call(("attended", together)))
    assert rows == pytest.approx(whole)


def test_a_soft_cap_bounds_scores(call: MakeCall) -> None:
    # Scores of 1000 and more are all capped to 0.5.
    rows = attend(call, 1, 0, keys=[[1000.0], [2000], [3000]], soft_cap=0.5)
    assert rows[:, 0].tolist() == pytest.approx([10, 15, 20])


def test_a_quarter_turn_swaps_the_halves_of_a_pair(call: MakeCall) -> None:
    made = call(
        ("query", [[1.0, 2, 5]]),
        ("key", [[0.0, 1, 6]]),
        ("value", [[7.0]]),
        positions=(1, 2),
        head_dim=3,
        frequencies=(pi / 2,),
    )
    query, key, value = positioned(made)
    # Position 1; the last element is not rotated.
    assert query[0].tolist() == pytest.approx([-2, 1, 5])
    assert key[0].tolist() == pytest.approx([-1, 0, 6])
    assert value.tolist() == [[7]]


def test_a_head_norm_takes_slices_of_several_heads(call: MakeCall) -> None:
    # Heads of two elements; the slice is the second of head 0, and all of head 1.
    made = call(
        ("query", [[3.0, 1, 2]], 1),
        weights=(("query_norm.weight", [10.0, 100]),),
        head_dim=2,
    )
    weighed, squares = head_weighed(made)
    assert weighed.tolist() == [[300, 10, 200]]
    assert squares.tolist() == [[9, 5, 0]]


def test_heads_are_divided_by_their_root_mean_square(call: MakeCall) -> None:
    made = call(
        ("query", [[6.0, 8]]),
        ("key", [[2.0, 4]]),
        ("query_squares", [[3.0, 5]]),
        ("key_squares", [[32.0, 0]]),
        head_dim=2,
    )
    query, key = head_scaled(made)
    assert np.vstack([query, key]).tolist() == pytest.approx(
        np.array([[3.0, 4], [0.5, 1]])
    )


def test_a_sink_is_in_the_sum_of_the_chip_that_reads_it(call: MakeCall) -> None:
    # Exponentials of 1 and 3; the sink's of 4.
    scores_of = np.log(np.array([1.0, 3.0])).reshape(1, 1, 2, 1)
    given = {"positions": (2, 1), "members": 2}
    sunk = call(
        ("scores", scores_of), weights=(("sinks.weight", [np.log(4)]),), **given
    )
    (with_sink,), (without,) = (
        softmax(sunk),
        softmax(call(("scores", scores_of), **given)),
    )
    # The last is the sum, with the largest score before it as its factor.
    assert with_sink[0, 0, -1, 0] * np.exp(with_sink[0, 0, -2, 0]) == pytest.approx(8)
    assert without[0, 0, -1, 0] * np.exp(without[0, 0, -2, 0]) == pytest.approx(4)


def test_positions_attend_to_those_of_their_chunk(call: MakeCall) -> None:
    rows = attend(call, 1, 0, keys=[[0.0]] * 3, window=2, chunked=True)
    # Values are 10 and 20 in the first chunk, and 30 in the second.
    assert rows[:, 0].tolist() == pytest.approx([10, 15, 30])


def test_queries_grow_with_their_position(call: MakeCall) -> None:
    ones = [[1.0]] * 3
    made = call(
        *((name, ones) for name in ("query", "key", "value")),
        positions=(3, 3),
        query_growth=1.0,
        growth_positions=2,
    )
    queries, keys, _ = positioned(made)
    grown = 1 + np.log(2)
    assert queries[:, 0].tolist() == pytest.approx([1, grown, grown])
    assert keys[:, 0].tolist() == [1, 1, 1]
