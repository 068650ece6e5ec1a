"""What `check_coverage` refuses: regions that are not there just once."""

from collections.abc import Callable

import pytest

Refused = Callable[..., str]


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("a message dropped", "there just once"),
        ("an exchange dropped", "just once"),
        ("all messages dropped", "there just once"),
        ("a vector operator deleted", "just once"),
        ("a norm before the sum of its input", "there just once"),
        ("attention before the new keys", "there just once"),
    ],
)
def test_what_is_read_and_not_there_is_refused(
    refused: Refused, kind: str, why: str
) -> None:
    assert why in refused(kind, "both")
