from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from fabric.functional_engine.call import Call
from fabric.functional_engine.functions.residual_stream import (
    added,
    added_normed,
    added_tables,
    looked_up,
    scaled,
    scaled_sum,
    weighed,
)

MakeCall = Callable[..., Call]


def test_a_lookup_leaves_tokens_of_other_parts_zero(call: MakeCall) -> None:
    table = ("embedding.weight", [[1.0], [2.0]], 10)
    made = call(
        ("tokens", [[10], [11], [12]]), weights=(table,), positions=(3, 3), scale=2
    )
    # Rows 10 and 11 of the table are here.
    (tokens,), (rows,) = made.reads, made.weights
    here = replace(
        made,
        reads=(tokens._replace(array=tokens.array.astype(np.int64)),),
        weights=(rows._replace(last=12),),
    )
    assert looked_up(here)[0].tolist() == [[2], [4], [0]]


def test_positions_begin_at_the_first_row_of_the_pass(call: MakeCall) -> None:
    tables = (
        ("embedding.positions.weight", [[0.0], [0], [10], [20], [30]]),
        ("embedding.token_types.weight", [[0.5], [9]]),
    )
    made = call(("rows", [[1.0], [2]]), weights=tables, positions=(2, 3), first_row=2)
    assert added_tables(made)[0].tolist() == [[21.5], [32.5]]


def test_weights_of_a_norm_may_be_their_difference_from_one(call: MakeCall) -> None:
    reads, weights = ("residual", [[3.0, 4]]), (("norm.weight", [1.0, 0]),)
    product, squares = weighed(call(reads, weights=weights, unit_offset=True))
    assert product.tolist() == [[6, 4]]
    assert squares.tolist() == [[25]]


def test_a_layer_norm_needs_the_sum_too(call: MakeCall) -> None:
    made = call(
        ("residual", [[3.0, 4]]), weights=(("norm.weight", [1.0, 1]),), centred=True
    )
    assert weighed(made)[1].tolist() == [[7, 25]]


def test_the_first_position_may_be_a_result_of_its_own(call: MakeCall) -> None:
    made = call(
        ("residual", [[1.0], [2], [3]]),
        weights=(("norm.weight", [10.0]),),
        writes=3,
        positions=(3, 3),
    )
    assert weighed(made)[2].tolist() == [[10]]


def test_a_root_mean_square_is_of_all_parts(call: MakeCall) -> None:
    # Four columns whose squares sum to 16: a mean square of 4.
    made = call(("weighed", [[6.0]]), ("squares", [[16.0]], 0, 4))
    assert scaled(made)[0].tolist() == [[3]]
    assert scaled_sum(made)[0].tolist() == [[3]]


def test_a_layer_norm_subtracts_the_mean_and_adds_a_bias(call: MakeCall) -> None:
    # Columns 1 and 3: mean 2, variance 1.
    made = call(
        ("weighed", [[2.0, 6]]),
        ("squares", [[4.0, 10]], 0, 2),
        weights=(("norm.weight", [2.0, 2]), ("norm.bias", [0.5, 0.5])),
        centred=True,
    )
    assert scaled(made)[0].tolist() == [[-1.5, 2.5]]


def test_a_sum_tells_its_squares_if_a_norm_follows(call: MakeCall) -> None:
    reads = (("partial", [[1.0, 2]]), ("bias", [[2.0, 2]]))
    assert [each.tolist() for each in added(call(*reads))] == [[[3, 4]]]
    assert added(call(*reads, writes=2))[1].tolist() == [[25]]


def test_experts_add_their_biases_as_they_are_chosen(call: MakeCall) -> None:
    reads = (("partial", [[1.0]]), ("choice", [[0.25, 0.75]]))
    made = call(*reads, weights=(("down.bias", [[4.0], [8.0]]),))
    assert added(made)[0].item() == 8


def test_a_normed_sum_is_added_to_the_residual(call: MakeCall) -> None:
    made = call(
        ("sum", [[6.0]]),
        ("squares", [[16.0]], 0, 4),
        ("residual", [[0.25]]),
        weights=(("norm.weight", [2.0]),),
    )
    assert added_normed(made)[0].item() == pytest.approx(6.25)
