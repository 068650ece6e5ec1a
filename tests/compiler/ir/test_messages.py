import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from compiler.ir.messages import Message, MessageTable

rows = st.lists(
    st.builds(Message, st.integers(0, 9), st.integers(0, 9), st.integers(1, 999)),
    max_size=20,
)


@given(rows=rows)
def test_a_table_holds_its_messages_in_order(rows: list[Message]) -> None:
    table = MessageTable.of(rows)
    assert list(table) == rows
    assert len(table) == len(rows)


@given(rows=rows, others=rows)
def test_tables_are_equal_and_hash_alike_if_their_messages_are(
    rows: list[Message], others: list[Message]
) -> None:
    assert MessageTable.of(rows) == MessageTable.of(list(rows))
    assert hash(MessageTable.of(rows)) == hash(MessageTable.of(list(rows)))
    assert (MessageTable.of(rows) == MessageTable.of(others)) == (rows == others)


@given(rows=rows, others=rows)
def test_joined_tables_follow_each_other(
    rows: list[Message], others: list[Message]
) -> None:
    joined = MessageTable.joined([MessageTable.of(rows), MessageTable.of(others)])
    assert list(joined) == rows + others


def test_only_messages_with_a_flag_are_chosen() -> None:
    table = MessageTable.of([(0, 1, 10), (1, 2, 20), (2, 0, 30)])
    assert list(table.chosen(np.array([True, False, True]))) == [(0, 1, 10), (2, 0, 30)]


def test_a_table_is_no_list_of_rows() -> None:
    assert MessageTable.of([(0, 1, 10)]) != [(0, 1, 10)]
