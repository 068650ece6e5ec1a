import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.wire.reply_text import Reply, reply, reply_pieces, text_seed
from serving.wire.token_count import split_tokens

SEEDS = st.integers(0, 2**64 - 1)


@given(SEEDS, st.integers(0, 200))
def test_every_piece_is_one_token_by_the_rule(seed: int, count: int) -> None:
    pieces = reply_pieces(seed, count)
    assert len(pieces) == count
    assert split_tokens("".join(pieces)) == pieces


def test_a_longer_answer_begins_with_the_shorter_one() -> None:
    assert reply_pieces(7, 300)[:50] == reply_pieces(7, 50)
    assert reply_pieces(7, 50) != reply_pieces(8, 50)


@given(SEEDS, st.integers(1, 80), st.data())
def test_a_reply_ends_before_the_stop_that_is_complete_first(
    seed: int, count: int, data: st.DataObject
) -> None:
    text = "".join(reply_pieces(seed, count))
    begin = data.draw(st.integers(0, len(text) - 1))
    stop = text[begin : data.draw(st.integers(begin + 1, len(text)))]
    cut = reply(seed, count, [stop, "no such words"], limited=True)
    assert cut.text == text[: text.find(stop)]
    assert cut.finish_reason == "stop"
    # The tokens that were made hold the stop; one fewer would not.
    made = "".join(reply_pieces(seed, cut.tokens))
    assert stop in made
    assert stop not in "".join(reply_pieces(seed, cut.tokens - 1))


def test_the_end_of_a_reply_has_its_reason() -> None:
    assert reply(1, 5, limited=True).finish_reason == "length"
    assert reply(1, 5, limited=False).finish_reason == "stop"


def test_of_two_stops_the_first_in_the_text_counts() -> None:
    words = "".join(reply_pieces(3, 9)).split()
    cut = reply(3, 9, [words[5], words[2]], limited=True)
    assert cut.text == " ".join(words[:2]) + " "
    assert cut.tokens == 3


@pytest.mark.parametrize("other", [(2, "a"), (1, "b"), (1, "a", None)])
def test_the_seed_of_a_text_depends_on_every_part(other: tuple[object, ...]) -> None:
    assert text_seed(1, "a") == text_seed(1, "a")
    assert text_seed(1, "a") != text_seed(*other)


def test_the_text_of_a_reply_is_its_pieces() -> None:
    assert Reply(("Hello", ", you"), 3, "stop").text == "Hello, you"
