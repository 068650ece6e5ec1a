from collections.abc import Callable
from dataclasses import replace

import pytest

from fabric.functional_engine.call import Call
from fabric.functional_engine.functions.products import biased, partial_sum, product
from specs.errors import VerificationError

MakeCall = Callable[..., Call]

# Two experts of one column each; every row has chosen one.
CHOICE = ("choice", [[1.0, 0], [0, 1.0]])


def test_a_product_is_with_the_transpose_of_each_matrix(call: MakeCall) -> None:
    made = call(
        ("input", [[1.0, 2]]),
        weights=(("query.weight", [[1.0, 0], [1, 1]]), ("key.weight", [[0.0, 3]])),
    )
    assert [each.tolist() for each in product(made)] == [[[1, 3]], [[6]]]


def test_rows_are_multiplied_by_their_own_experts_alone(call: MakeCall) -> None:
    made = call(
        ("input", [[1.0], [1.0]]),
        CHOICE,
        weights=(("up.weight", [[10.0]], 0), ("up.weight", [[20.0]], 1)),
        expert_columns=1,
    )
    # By row, expert and column.
    assert product(made)[0].tolist() == [[[10], [0]], [[0], [20]]]


def test_products_of_experts_are_added_on_the_way_back(call: MakeCall) -> None:
    made = call(
        ("layers.0.feed_forward.activated", [[[1.0], [7]], [[7], [1]]]),
        CHOICE,
        weights=(("down.weight", [[10.0]]), ("down.weight", [[20.0]])),
        expert_columns=1,
    )
    first, second = made.weights
    matrices = (first, second._replace(part_first=1, part_last=2))
    assert product(replace(made, weights=matrices))[0].tolist() == [[10], [20]]


def test_a_balanced_schedule_refuses_what_it_has_no_room_for(call: MakeCall) -> None:
    # Two pairs for two groups: one each, and both rows want expert 0.
    made = call(
        ("input", [[1.0], [1.0]]),
        ("choice", [[1.0, 0], [1.0, 0]]),
        weights=(("up.weight", [[10.0]]),),
        expert_columns=1,
        balanced_groups=2,
    )
    with pytest.raises(
        VerificationError, match=r"room for 1 pairs .* and 2 were chosen"
    ):
        product(made)


def test_each_operand_has_its_own_bias(call: MakeCall) -> None:
    made = call(
        ("query", [[1.0]]),
        ("key", [[2.0]]),
        weights=(("query.bias", [10.0]), ("key.bias", [20.0])),
    )
    assert [each.item() for each in biased(made)] == [11, 22]


def test_reading_a_partial_sum_has_added_it(call: MakeCall) -> None:
    assert partial_sum(call(("partial", [[4.0]])))[0].item() == 4
