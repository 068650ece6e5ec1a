"""What `check_claims`, `check_results` and `check_heads` refuse."""

from collections.abc import Callable

import pytest

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
