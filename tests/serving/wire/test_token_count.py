from hypothesis import given
from hypothesis import strategies as st

from serving.wire.token_count import (
    MESSAGE_TOKENS,
    TEMPLATE_TOKENS,
    count_chat_tokens,
    count_tokens,
    split_tokens,
)


def test_a_word_takes_the_space_before_it_and_long_words_take_more() -> None:
    assert split_tokens("I understand.") == ["I", " understa", "nd", "."]
    assert split_tokens("a  b") == ["a", "  ", "b"]
    assert split_tokens("year 12345") == ["year", " ", "123", "45"]


@given(st.text())
def test_tokens_joined_are_the_text(text: str) -> None:
    tokens = split_tokens(text)
    assert "".join(tokens) == text
    assert len(tokens) == count_tokens(text)


def test_a_chat_counts_its_template() -> None:
    texts = ["Be brief.", "Hello!"]
    own = sum(map(count_tokens, texts))
    assert count_chat_tokens(texts) == own + 2 * MESSAGE_TOKENS + TEMPLATE_TOKENS
