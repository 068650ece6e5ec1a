from collections.abc import Callable

import numpy as np

from fabric.functional_engine.call import Call
from fabric.functional_engine.functions.feed_forward_and_head import (
    activated,
    candidate,
    expert_scores,
    sampled,
)

MakeCall = Callable[..., Call]


def test_experts_are_scored_by_a_part_of_the_columns(call: MakeCall) -> None:
    made = call(
        ("weighed", [[1.0, 2]]), weights=(("router.weight", [[1.0, 1], [0, 3]]),)
    )
    assert expert_scores(made)[0].tolist() == [[3, 6]]


def test_a_gate_multiplies_what_is_biased_and_activated(call: MakeCall) -> None:
    made = call(
        ("gate", [[1.0]]),
        ("up", [[3.0]]),
        weights=(("gate.bias", [2.0]), ("up.bias", [1.0])),
        activation=np.square,
    )
    assert activated(made)[0].item() == 36


def test_a_gate_may_be_clipped_and_what_it_multiplies_offset(call: MakeCall) -> None:
    made = call(
        ("gate", [[5.0, -5.0]]),
        ("up", [[7.0, -7.0]]),
        gate_limit=2.0,
        gate_offset=1.0,
    )
    # A gate has no lower bound.
    assert activated(made)[0].tolist() == [[2 * 3, -5 * -1]]


def test_a_shared_expert_counts_as_much_as_its_gate(call: MakeCall) -> None:
    made = call(("shared_up", [[4.0, 8.0]]), ("shared_choice", [[0.25]]), chosen=True)
    assert activated(made)[0].tolist() == [[1, 2]]


def test_weights_of_experts_may_multiply_gate_and_operand(call: MakeCall) -> None:
    made = call(
        ("gate", [[[4.0]]], 1),
        ("up", [[[6.0]]], 1),
        ("choice", [[0.0, 0.5]]),
        experts=2,
        chosen=True,
        expert_columns=1,
        weighs_inputs=True,
    )
    assert activated(made)[0].tolist() == [[[6]]]


def test_columns_of_experts_are_weighed_by_their_choice(call: MakeCall) -> None:
    # Group 1 of four experts has experts 2 and 3; its columns are numbered from 5.
    made = call(
        ("up", [[[10.0], [20.0]]], 5),
        ("choice", [[0.0, 0, 0.25, 0.75]]),
        experts=4,
        chosen=True,
        expert_columns=5,
    )
    assert activated(made)[0].tolist() == [[[2.5], [15]]]


def test_each_expert_has_its_own_bias(call: MakeCall) -> None:
    made = call(
        ("up", [[[10.0], [20.0]]]),
        ("choice", [[1.0, 1.0]]),
        weights=(("up.bias", [1.0]), ("up.bias", [2.0])),
        experts=2,
        chosen=True,
        expert_columns=1,
    )
    assert activated(made)[0].tolist() == [[[11], [22]]]


def test_a_candidate_is_the_largest_logit_and_its_number(call: MakeCall) -> None:
    made = call(("head.logits", [[1.0, 5, 5]], 100))
    assert candidate(made)[0][:, 0, 0].tolist() == [5, 101]
    earlier = ("head.candidates", np.array([[[7.0]], [[3.0]]]))
    both = call(("head.logits", [[1.0, 5]], 100), earlier)
    assert candidate(both)[0][:, 0, 0].tolist() == [7, 3]


def test_a_chip_without_logits_has_a_candidate_that_cannot_win(call: MakeCall) -> None:
    (none,) = candidate(call())
    (some,) = candidate(call(("head.logits", [[-9.0]], 4)))
    together = np.concatenate([none, some], axis=2)
    assert sampled(call(("head.candidates", together)))[0].tolist() == [[4]]


def test_of_equal_logits_the_lowest_number_is_the_token(call: MakeCall) -> None:
    candidates = np.array([[[2.0, 2, 1]], [[40.0, 7, 3]]])
    assert sampled(call(("head.candidates", candidates)))[0].tolist() == [[7]]
