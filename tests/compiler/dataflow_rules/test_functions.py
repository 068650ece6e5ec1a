"""What `check_functions` refuses: results that do not follow from what is read."""

from collections.abc import Callable

import pytest

Refused = Callable[..., str]


@pytest.mark.parametrize(
    ("kind", "variant", "case", "why"),
    [
        ("a copy in place of an operator", "statements", "decoder", "adds other parts"),
        ("a vector operator halved", "both", "decoder", "columns"),
        ("an expert left out", "statements", "experts", "multiplies other weights"),
        ("a partial sum left out", "statements", "decoder", "all partial sums once"),
        ("a partial sum left out", "both", "decoder", "all partial sums once"),
        ("keys and values swapped in a layer", "statements", "decoder", "key_cache"),
        ("a stale part of a cache read", "statements", "decoder", "other positions"),
        ("attention without the newest position", "statements", "decoder", "attention"),
        ("a layer left out", "both", "decoder", "makes no result, or more than one"),
    ],
)
def test_a_result_that_does_not_follow_is_refused(
    refused: Refused, kind: str, variant: str, case: str, why: str
) -> None:
    assert why in refused(kind, variant, case)
