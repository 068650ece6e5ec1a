"""What `check_coverage` refuses: regions that are not there just once."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from compiler.dataflow_rules.coverage import HeldRegions, check_coverage
from compiler.dataflow_rules.residency import tokens_at_start
from compiler.dataflow_rules.statements import Statements
from specs.errors import VerificationError

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


@pytest.fixture
def decoder(stated: Callable[[str], Any]) -> Statements:
    """Return the statements of a decoder on two chips, which both have the tokens."""
    statements: Statements = stated("decoder").statements
    return statements


def ending(statements: Statements, chip: int, name: str, last: int) -> HeldRegions:
    """Return columns 0 to `last` of a value that a chip must end with."""
    names = [value.name for value in statements.flow.values]
    key = np.array([chip * len(names) + names.index(name)])
    zero = 0 * key
    after = np.array([1 << 20])
    return HeldRegions(key, after, zero, zero + last, zero, zero + 1)


def test_what_is_there_from_the_start_is_there_once(decoder: Statements) -> None:
    tokens = tokens_at_start(decoder, np.array([0, 1]))
    assert check_coverage(decoder, tokens) > 0
    for start in (tokens.chosen(np.array([0])), tokens.joined(tokens)):
        with pytest.raises(VerificationError, match="tokens, which are not there just"):
            check_coverage(decoder, start)


def test_a_chip_ends_with_what_it_must(decoder: Statements) -> None:
    tokens = tokens_at_start(decoder, np.array([0, 1]))
    # Each of two chips makes 16 of 32 columns.
    name = "layers.0.feed_forward.output"
    more = check_coverage(decoder, tokens, ending(decoder, 0, name, 16))
    assert more > check_coverage(decoder, tokens)
    for chip, last in ((0, 17), (1, 16)):
        with pytest.raises(VerificationError, match=f"chip {chip} does not end with"):
            check_coverage(decoder, tokens, ending(decoder, chip, name, last))
