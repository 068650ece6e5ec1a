"""What `check_trains` and `check_payloads` refuse."""

from collections.abc import Callable

import pytest

Refused = Callable[..., str]


@pytest.mark.parametrize(
    ("kind", "variant", "why"),
    [
        ("a train dropped", "instructions", "other vectors that leave its chip"),
        ("a message dropped", "instructions", "other vectors that leave its chip"),
        ("a message dropped", "statements", "not as long as what it carries"),
        ("a message to another chip", "statements", "trains that reach another chip"),
        ("a partial sum added twice", "statements", r"layers."),
    ],
)
def test_a_message_that_does_not_arrive_as_sent_is_refused(
    refused: Refused, kind: str, variant: str, why: str
) -> None:
    assert why in refused(kind, variant)


def test_a_shorter_train_is_refused(refused: Refused) -> None:
    assert "does not arrive as sent" in refused(
        "a vector dropped", "instructions", "prompt"
    )
