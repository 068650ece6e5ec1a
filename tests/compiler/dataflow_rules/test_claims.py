"""What `check_claims`, `check_results` and `check_heads` refuse."""

from collections.abc import Callable
from typing import Any

import pytest

from chip.dataflow import Function
from compiler.dataflow_rules.claims import check_heads

Refused = Callable[..., str]


@pytest.mark.parametrize(
    ("kind", "variant", "why"),
    [
        ("the end marked early", "instructions", "a token ends when it does not"),
        ("the end marked early", "both", "a token ends when it does not"),
        ("the token not brought back", "both", "the token does not return: chip"),
        ("a token before the last is sampled", "both", "the token returns late: chip"),
        ("another leader stated", "statements", "a token begins or ends elsewhere"),
        ("weights stated smaller", "statements", "bytes of weights"),
        ("a cache stated smaller", "statements", "bytes of the KV cache"),
        ("program text stated smaller", "statements", "bytes of program text"),
    ],
)
def test_numbers_that_are_not_what_they_must_be_are_refused(
    refused: Refused, kind: str, variant: str, why: str
) -> None:
    assert why in refused(kind, variant)


def test_attention_cannot_be_left_out(refused: Refused) -> None:
    assert "layers." in refused("attention of a layer deleted", "both")


def heads(program: Any) -> int:
    return check_heads(program.statements, program.plan)


@pytest.mark.parametrize(
    ("program", "edits", "why"),
    [
        (
            "decoder",
            [("writes", Function.SCORES, "scores", {"last": -1})],
            "is one of chips that leave out heads, or parts of a context",
        ),
        (
            "shared heads",
            [("writes", Function.SCORES, "scores", {"part_first": 1, "part_last": 1})],
            "is one of chips that leave out heads, or parts of a context",
        ),
        (
            "shared heads",
            [("reads", Function.COMBINE, "attended", {"part_last": -1})],
            "joins other parts of the context than exist",
        ),
        # The first part of a context has the number of a whole one.
        (
            "shared heads",
            [("writes", Function.ATTEND, "attended", "context")],
            "makes the context of one of several parts, or a part of a whole one",
        ),
        (
            "decoder",
            [("writes", Function.ATTEND, "context", "attended")],
            "makes the context of one of several parts, or a part of a whole one",
        ),
    ],
)
def test_every_head_attends_to_all_parts_of_its_context(
    refusal: Callable[..., str], program: str, edits: list[Any], why: str
) -> None:
    assert refusal(heads, program, *edits) == why
